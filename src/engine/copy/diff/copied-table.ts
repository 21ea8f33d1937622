/**
 * The copy that has filled a table, where the ledger of the target knows one of the same rows: a comparison that mends rows keeps what later runs of
 * that copy expect of counts in step with them.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import { ChunkLedger } from '../ledger/chunks.ts'
import type { Owner, TableKey } from '../ledger/owner.ts'
import { RunLedger, type PlanRow } from '../ledger/runs.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { prepareSurplusChanges, surplusStatements } from '../ledger/surplus-changes.ts'
import { asideSurplus } from '../look/look.ts'
import { isRanged } from '../look/ranged.ts'
import type { PlannedTable } from '../plan/plan-copy.ts'
import { essenceUnder } from '../plan/plan-hash.ts'
import type { TableWishes } from '../plan/table-plan.ts'
import type { Difference } from './compare.ts'
import { CopiedPart } from './copied-part.ts'

/** Changes that are noted in one transaction. */
const NOTED_AT_ONCE = 20

export class CopiedTable {
  /** Live chunks, those too that are not closed. */
  readonly chunks: readonly StoredChunk[]
  /** The table as a whole, where no chunk can be counted in the target. */
  readonly whole: CopiedPart | null
  readonly #parts: ReadonlyMap<number, CopiedPart>
  /** Which part differences belong to that are not settled yet, by their keys. */
  readonly #owners = new Map<string, CopiedPart>()
  readonly #ledger: Ledger

  constructor(chunks: readonly StoredChunk[], whole: CopiedPart | null, ledger: Ledger) {
    this.chunks = chunks
    this.whole = whole
    const closed = whole === null ? chunks.filter(({ status }) => status === 'completed') : []
    this.#parts = new Map(closed.map((chunk) => [chunk.id, new CopiedPart(chunk, chunk.surplus)]))
    this.#ledger = ledger
  }

  /** @returns null for a chunk that is not closed, and of a table that is counted as a whole */
  partOf({ id }: StoredChunk): CopiedPart | null {
    return this.#parts.get(id) ?? null
  }

  /** To be called before a difference is settled. @param part null where it lies in no closed chunk */
  found({ key }: Difference, part: CopiedPart | null): void {
    if (part !== null) this.#owners.set(JSON.stringify(key), part)
  }

  /** Told of every difference that was looked at once more, and whether it was mended. */
  settled({ key, kind }: Difference, isFixed: boolean): void {
    const text = JSON.stringify(key)
    this.#owners.get(text)?.count(kind, isFixed)
    this.#owners.delete(text)
  }

  /** Notes what is expected of counts now. @returns how many parts that is another number of */
  async note(): Promise<number> {
    const { database, owner, key } = this.#ledger
    const aside = asideSurplus(this.chunks)
    const parts = this.whole === null ? [...this.#parts.values()] : [this.whole]
    const changes = parts.flatMap((part): readonly (readonly [CopiedPart, bigint])[] => {
      const expected = part.expected()
      return expected === null ? [] : [[part, expected]]
    })
    if (changes.length > 0) await prepareSurplusChanges(database)
    for (let at = 0; at < changes.length; at += NOTED_AT_ONCE) {
      const statements = changes.slice(at, at + NOTED_AT_ONCE).flatMap(([{ chunk, surplus }, expected]) => {
        // Rows that were set aside stand with their chunks.
        const [from, to] =
          chunk === null ? [surplus === null ? null : surplus - aside, expected - aside] : [surplus, expected]
        return surplusStatements(database, owner.runId, key, chunk, from, to)
      })
      await database.batch(statements)
    }
    return changes.length
  }
}

type Ledger = { readonly database: LedgerDatabase; readonly owner: Owner; readonly key: TableKey }

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
  const key = { schema: targetName.schema ?? '', name: targetName.name }
  const runs = new RunLedger(database, owner)
  const stored = await runs.plan(key)
  if (stored === null || !isSameRows(stored, sourceIdentity, plan, wishes)) return null
  const chunks = await new ChunkLedger(database, key, owner).all()
  if (!chunks.some(({ status }) => status === 'completed')) return null
  const ledger = { database, owner, key }
  if (isRanged(plan)) return new CopiedTable(chunks, null, ledger)
  // Until all of it is copied, the table cannot be counted.
  if (chunks.some(({ status }) => status !== 'completed')) return null
  const known = await runs.planSurplus(key)
  return new CopiedTable(chunks, new CopiedPart(null, known === null ? null : known + asideSurplus(chunks)), ledger)
}

/** Whether a copy and a comparison mean the same rows of one table, found by the same keys on both sides; which of their columns is another matter. */
function isSameRows(stored: PlanRow, sourceIdentity: string, plan: TablePlan, { derived }: TableWishes): boolean {
  const then = JSON.parse(stored.plan) as Readonly<Record<string, unknown>>
  const now = essenceUnder(stored.hash, sourceIdentity, plan)
  if (now === null) return false
  const { columns, 'on-existing': _how, ...rest } = now
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
