/**
 * The copy that has filled a table, where the ledger of the target knows one of the same rows: a comparison that mends rows keeps what later runs of
 * that copy expect of counts in step with them.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import { ChunkLedger } from '../ledger/chunks.ts'
import { tableKeyOf, type Owner, type TableKey } from '../ledger/owner.ts'
import { RunLedger, type PlanRow } from '../ledger/runs.ts'
import { CLOSED, type StoredChunk } from '../ledger/stored-chunk.ts'
import { prepareSurplusChanges, surplusStatements } from '../ledger/surplus-changes.ts'
import { isRanged } from '../look/ranged.ts'
import type { PlannedTable } from '../plan/plan-copy.ts'
import { essenceUnder, OWN_TIMES } from '../plan/plan-hash.ts'
import type { TableWishes } from '../plan/table-wishes.ts'
import type { Difference } from './difference.ts'
import { CopiedPart } from './copied-part.ts'

/** Changes that are noted in one transaction. */
const NOTED_AT_ONCE = 20
/** Chunks that one statement names. */
const IDS_AT_ONCE = 90

export class CopiedTable {
  /** The table as a whole, where no chunk can be counted in the target. */
  readonly whole: CopiedPart | null
  readonly #chunks: ChunkLedger
  /** Which part differences belong to that are not settled yet, by their keys. */
  readonly #owners = new Map<string, CopiedPart>()
  /** Of these parts something else is expected from now on. */
  readonly #changed: CopiedPart[] = []
  readonly #ledger: Ledger
  /** Rows that were set aside: they stand with their chunks. */
  readonly #aside: bigint
  #noted = 0

  /** @param aside of a table that is counted as a whole */
  constructor(whole: CopiedPart | null, aside: bigint, ledger: Ledger) {
    this.whole = whole
    this.#aside = aside
    this.#chunks = new ChunkLedger(ledger.database, ledger.key, ledger.owner)
    this.#ledger = ledger
  }

  /** Live chunks in the order in which they were written down, those too that are not closed. @param behind an id: only those of larger ones */
  chunks(behind = 0): AsyncIterable<StoredChunk> {
    return this.#chunks.each(`id > ${behind}`, this.#ledger.page)
  }

  /** As they are now; those that are gone are left out. */
  async chunksOf(ids: readonly number[]): Promise<readonly StoredChunk[]> {
    const chunks: StoredChunk[] = []
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE)
      chunks.push(...(await this.#chunks.some(`id IN (${ids.slice(at, at + IDS_AT_ONCE).join(', ')})`)))
    return chunks
  }

  /** @returns null for a chunk that is not closed, and of a table that is counted as a whole */
  partOf(chunk: StoredChunk): CopiedPart | null {
    return this.whole !== null || chunk.status !== 'completed' ? null : new CopiedPart(chunk, chunk.surplus)
  }

  /** To be called before a difference is settled. @param part null where it lies in no closed chunk */
  found({ key }: Difference, part: CopiedPart | null): void {
    if (part === null) return
    this.#owners.set(JSON.stringify(key), part)
    part.open++
  }

  /** Told of every difference that is counted, and whether it was mended. */
  settled({ key, kind }: Difference, isFixed: boolean): void {
    this.#owners.get(JSON.stringify(key))?.count(kind, isFixed)
  }

  /** No more becomes of these differences, whether they were counted or had gone. */
  done(differences: readonly Difference[]): void {
    for (const { key } of differences) {
      const text = JSON.stringify(key)
      const part = this.#owners.get(text)
      if (part === undefined) continue
      this.#owners.delete(text)
      part.open--
      this.compared(part)
    }
  }

  /** To be called when all rows of a part were compared: it is kept for as long as anything may become of it, and no longer. */
  compared(part: CopiedPart): void {
    if (part !== this.whole && part.isWhole && part.open === 0 && part.expected() !== null) this.#changed.push(part)
  }

  /** Notes what is expected of chunks now of which all differences are settled. */
  async noteSettled(): Promise<void> {
    while (this.#changed.length > 0) await this.#note(this.#changed.splice(0, NOTED_AT_ONCE), 0n)
  }

  /** Notes what is expected of counts now. @returns how many parts that is another number of, those that were noted before among them */
  async note(): Promise<number> {
    await this.noteSettled()
    const { whole } = this
    if (whole !== null && whole.expected() !== null) await this.#note([whole], this.#aside)
    return this.#noted
  }

  async #note(parts: readonly CopiedPart[], aside: bigint): Promise<void> {
    const { database, owner, key } = this.#ledger
    if (this.#noted === 0) await prepareSurplusChanges(database)
    this.#noted += parts.length
    const statements = parts.flatMap((part) => {
      const expected = part.expected()
      const { chunk, surplus } = part
      if (expected === null) return []
      return surplusStatements(
        database,
        owner.runId,
        key,
        chunk,
        surplus === null ? null : surplus - aside,
        expected - aside,
      )
    })
    await database.batch(statements)
  }
}

type Ledger = {
  readonly database: LedgerDatabase
  readonly owner: Owner
  readonly key: TableKey
  /** Chunks that are read at once; as many as is good unless given. */
  readonly page?: number
}

/**
 * @param sourceIdentity `CopyStore.identity` of the source
 * @returns null where the ledger knows no copy of the same rows of the same table, or has no chunk of it that could be counted
 */
export async function copiedTable(
  one: PlannedTable,
  sourceIdentity: string,
  database: LedgerDatabase,
  owner: Owner,
): Promise<CopiedTable | null> {
  const { plan, targetName, wishes } = one
  if (plan === null) return null
  const key = tableKeyOf(targetName)
  const runs = new RunLedger(database, owner)
  const stored = await runs.plan(key)
  if (stored === null || !isSameRows(stored, sourceIdentity, plan, wishes)) return null
  const chunks = new ChunkLedger(database, key, owner)
  if (!(await chunks.has(CLOSED))) return null
  const ledger = { database, owner, key }
  if (isRanged(plan)) return new CopiedTable(null, 0n, ledger)
  // Until all of it is copied, the table cannot be counted.
  if (await chunks.has(`NOT ${CLOSED}`)) return null
  const [known, aside] = [await runs.planSurplus(key), await chunks.asideSurplus()]
  return new CopiedTable(new CopiedPart(null, known === null ? null : known + aside), aside, ledger)
}

/** Whether a copy and a comparison mean the same rows of one table, found by the same keys on both sides; which of their columns is another matter. */
function isSameRows(stored: PlanRow, sourceIdentity: string, plan: TablePlan, { derived }: TableWishes): boolean {
  const then = JSON.parse(stored.plan) as Readonly<Record<string, unknown>>
  const now = essenceUnder(stored.hash, sourceIdentity, plan)
  if (now === null) return false
  const { columns, 'on-existing': _how, [OWN_TIMES]: _times, ...rest } = now
  const made = (JSON.parse(stored.wishes) as Pick<TableWishes, 'derived'>).derived
  return (
    Object.entries(rest).every(([name, value]) => isEqual(then[name], value)) &&
    isEqual(made, derived) &&
    isEqual(keyColumns(then['columns'], plan.source.key), keyColumns(columns, plan.source.key))
  )
}

/** Where the columns of a key go to, as `plan-hash` tells of columns. */
function keyColumns(columns: unknown, key: readonly string[]): readonly (string | undefined)[] {
  const all = (columns as readonly string[]).map((column) => column.slice(0, column.indexOf(' as ')))
  return key.map((name) => all.find((column) => column.startsWith(`${name} -> `)))
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}
