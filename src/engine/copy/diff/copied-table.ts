/**
 * The copy that filled a table, if the target's ledger has a copy of the same rows. A comparison that repairs rows
 * updates the counts that later runs of that copy expect.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ChunkLedger } from '../ledger/chunks.ts'
import { tableKeyOf, type RunOwner, type TableKey } from '../ledger/owner.ts'
import { RunLedger, type PlanRow } from '../ledger/runs.ts'
import { CLOSED, type StoredChunk } from '../ledger/stored-chunk.ts'
import { prepareSurplusChanges, surplusStatements } from '../ledger/surplus-changes.ts'
import { isRanged } from '../recount/ranged.ts'
import type { PlannedTable } from '../plan/plan-copy.ts'
import { hashedFieldsUnder, OWN_TIMES } from '../plan/plan-hash.ts'
import type { TableOptions } from '../plan/table-options.ts'
import type { RowDifference } from './difference.ts'
import { ComparedPart } from './copied-part.ts'

/** Changes recorded in one transaction. */
const NOTED_AT_ONCE = 20
/** Chunk ids in one statement. */
const IDS_AT_ONCE = 90

export class CopiedTable {
  /** The table as a whole, if its chunks cannot be counted in the target; else null. */
  readonly whole: ComparedPart | null
  readonly #chunks: ChunkLedger
  /** Parts that contain the differences without a final result, by the row keys of the differences. */
  readonly #owners = new Map<string, ComparedPart>()
  /** Parts whose expected surplus has changed. */
  readonly #changed: ComparedPart[] = []
  readonly #ledger: Ledger
  /** Surplus caused by quarantined rows of a table that is counted as a whole; 0 for other tables. */
  readonly #quarantined: bigint
  #noted = 0

  /** @param quarantined as `ChunkLedger.quarantinedSurplus` for a table that is counted as a whole; otherwise 0 */
  constructor(whole: ComparedPart | null, quarantined: bigint, ledger: Ledger) {
    this.whole = whole
    this.#quarantined = quarantined
    this.#chunks = new ChunkLedger(ledger.database, ledger.key, ledger.owner)
    this.#ledger = ledger
  }

  /**
   * Live chunks in the order of their ids, including unfinished ones. @param behind returns only chunks with ids above
   * this one
   */
  chunks(behind = 0): AsyncIterable<StoredChunk> {
    return this.#chunks.each(`id > ${behind}`, this.#ledger.page)
  }

  /** Current state of these chunks; missing ones are left out. */
  async chunksOf(ids: readonly number[]): Promise<readonly StoredChunk[]> {
    const chunks: StoredChunk[] = []
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE)
      chunks.push(...(await this.#chunks.some(`id IN (${ids.slice(at, at + IDS_AT_ONCE).join(', ')})`)))
    return chunks
  }

  /** @returns null for an unfinished chunk, and for a table that is counted as a whole */
  partOf(chunk: StoredChunk): ComparedPart | null {
    return this.whole !== null || chunk.status !== 'completed' ? null : new ComparedPart(chunk, chunk.surplus)
  }

  /** Call before a difference is passed to the processor. @param part null if it lies in no completed chunk */
  found({ key }: RowDifference, part: ComparedPart | null): void {
    if (part === null) return
    this.#owners.set(JSON.stringify(key), part)
    part.open++
  }

  /** Call for every counted difference. @param isFixed whether it was repaired */
  settled({ key, kind }: RowDifference, isFixed: boolean): void {
    this.#owners.get(JSON.stringify(key))?.count(kind, isFixed)
  }

  /** Call when these differences are final: counted, or gone when read again. */
  finishDifferences(differences: readonly RowDifference[]): void {
    for (const { key } of differences) {
      const text = JSON.stringify(key)
      const part = this.#owners.get(text)
      if (part === undefined) continue
      this.#owners.delete(text)
      part.open--
      this.compared(part)
    }
  }

  /** Call when all rows of a part were compared. The part is kept only while its result can still change. */
  compared(part: ComparedPart): void {
    if (part !== this.whole && part.isWhole && part.open === 0 && part.expected() !== null) this.#changed.push(part)
  }

  /** Records the new expected surplus of chunks whose differences all have a final result. */
  async noteFinishedChunks(): Promise<void> {
    while (this.#changed.length > 0) await this.#note(this.#changed.splice(0, NOTED_AT_ONCE), 0n)
  }

  /** Records all new expected surpluses. @returns number of changed parts, including those recorded earlier */
  async note(): Promise<number> {
    await this.noteFinishedChunks()
    const { whole } = this
    if (whole !== null && whole.expected() !== null) await this.#note([whole], this.#quarantined)
    return this.#noted
  }

  async #note(parts: readonly ComparedPart[], quarantined: bigint): Promise<void> {
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
        surplus === null ? null : surplus - quarantined,
        expected - quarantined,
      )
    })
    await database.batch(statements)
  }
}

type Ledger = {
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly key: TableKey
  /** Chunks per read; a default applies if absent. */
  readonly page?: number
}

/**
 * @param sourceIdentity `CopyStore.identity` of the source
 * @returns null if the ledger has no copy of the same rows of this table, or no chunk that can be counted
 */
export async function copiedTable(
  one: PlannedTable,
  sourceIdentity: string,
  database: LedgerDatabase,
  owner: RunOwner,
): Promise<CopiedTable | null> {
  const { plan, targetName, options: requests } = one
  if (plan === null) return null
  const key = tableKeyOf(targetName)
  const runs = new RunLedger(database, owner)
  const stored = await runs.plan(key)
  if (stored === null || !isSameRows(stored, sourceIdentity, plan, requests)) return null
  const chunks = new ChunkLedger(database, key, owner)
  if (!(await chunks.has(CLOSED))) return null
  const ledger = { database, owner, key }
  if (isRanged(plan)) return new CopiedTable(null, 0n, ledger)
  // A table counted as a whole can be counted only when all of it is copied.
  if (await chunks.has(`NOT ${CLOSED}`)) return null
  const [known, quarantined] = [await runs.planSurplus(key), await chunks.quarantinedSurplus()]
  return new CopiedTable(new ComparedPart(null, known === null ? null : known + quarantined), quarantined, ledger)
}

/** True if copy and comparison cover the same rows of one table by the same keys; other columns may differ. */
function isSameRows(stored: PlanRow, sourceIdentity: string, plan: TablePlan, { derived }: TableOptions): boolean {
  const then = JSON.parse(stored.plan) as Readonly<Record<string, unknown>>
  const now = hashedFieldsUnder(stored.hash, sourceIdentity, plan)
  if (now === null) return false
  const { columns, 'on-existing': _how, [OWN_TIMES]: _times, ...rest } = now
  const made = (JSON.parse(stored.wishes) as Pick<TableOptions, 'derived'>).derived
  return (
    Object.entries(rest).every(([name, value]) => isEqual(then[name], value)) &&
    isEqual(made, derived) &&
    isEqual(keyColumns(then['columns'], plan.source.key), keyColumns(columns, plan.source.key))
  )
}

/** Target columns of the key, parsed from `plan-hash` column texts. */
function keyColumns(columns: unknown, key: readonly string[]): readonly (string | undefined)[] {
  const all = (columns as readonly string[]).map((column) => column.slice(0, column.indexOf(' as ')))
  return key.map((name) => all.find((column) => column.startsWith(`${name} -> `)))
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null)
}
