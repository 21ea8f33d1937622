/** Quarantined rows of a chunk: those of this attempt, and of the earlier attempts that it resumes. */
import type { Claim } from '../../../model/copy/plan.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import { ownerQuery } from '../ledger/stored-chunk.ts'
import {
  endedLines,
  lineOf,
  numberRefusedRows,
  quarantinedCount,
  quarantineLines,
  quarantineStatement,
  type RowToQuarantine,
} from '../ledger/quarantine.ts'
import type { TableContext } from '../table/context.ts'
import { removeLine, tooManyQuarantined } from './refused-rows.ts'

export class ChunkQuarantine {
  readonly #context: TableContext
  readonly #claim: Claim
  readonly #batchwise: boolean
  readonly #numbered = numberRefusedRows()
  readonly #rows: RowToQuarantine[] = []
  /** Unreadable rows, kept until the batch around them is written. */
  readonly #unread: RowToQuarantine[] = []

  /** @param batchwise true if the target commits each batch, so that each quarantined row is recorded at once */
  constructor(context: TableContext, claim: Claim, batchwise: boolean) {
    this.#context = context
    this.#claim = claim
    this.#batchwise = batchwise
  }

  /** Rows that this attempt quarantined. */
  get rows(): readonly RowToQuarantine[] {
    return this.#rows
  }

  /** Adds a row that cannot be read; `noteUnread` records it. */
  unread(row: RowToQuarantine): void {
    this.#unread.push(row)
  }

  async noteUnread(): Promise<void> {
    for (const one of this.#unread.splice(0)) await this.note(one)
  }

  /** Quarantines a row. @throws SluiceError ROWS_ASIDE if this attempt has more than `maxAside` of them */
  async note(refused: RowToQuarantine): Promise<void> {
    const { database, key, owner, name, maxAside, emit } = this.#context
    const row = this.#numbered(refused)
    this.#rows.push(row)
    if (this.#rows.length > maxAside) throw tooManyQuarantined(name, maxAside, refused.message)
    if (this.#batchwise) {
      const held = ownerQuery(owner, this.#claim)
      await database.batch(quarantineStatement(database, key, owner, this.#claim, row, held))
    }
    emit({
      type: 'row.aside',
      table: name,
      chunk: String(this.#claim.no),
      key: row.key,
      error: { code: row.code, message: row.message, retryable: false },
    })
  }

  /** Number of rows that all attempts quarantined. */
  async count(): Promise<bigint> {
    return BigInt(this.#rows.length) + (this.#batchwise ? await this.#before() : 0n)
  }

  /**
   * Statements for the chunk's transaction; none if the target commits by batch, because rows were recorded at once.
   */
  statements(): readonly Statement[] {
    if (this.#batchwise) return []
    const { database, key, owner } = this.#context
    return [
      ...endedLines(database, this.#claim),
      ...this.#rows.flatMap((one) => quarantineStatement(database, key, owner, this.#claim, one)),
    ]
  }

  /** Rows that an earlier attempt at this chunk quarantined, without those that this attempt quarantined again. */
  async #before(): Promise<bigint> {
    if (this.#claim.cursor === null) return 0n
    const before = await quarantineLines(this.#context.database, this.#claim.id)
    for (const one of this.#rows) removeLine(before, lineOf(one))
    return [...before.values()].reduce((sum, count) => sum + BigInt(count), 0n)
  }
}

/**
 * Error for a table with more quarantined rows than allowed. They are counted in the ledger: other processes and
 * earlier runs have quarantined rows too.
 * @param refused number of rows that the closed chunk has quarantined
 * @returns null within the limit. A failed lookup must not fail a chunk that is closed: then only its rows count
 */
export async function overLimit(
  { database, key, name, maxAside }: Pick<TableContext, 'database' | 'key' | 'name' | 'maxAside'>,
  refused: number,
): Promise<SluiceError | null> {
  if (refused === 0) return null
  const all = await quarantinedCount(database, key).catch(() => refused)
  return all > maxAside ? tooManyQuarantined(name, maxAside) : null
}
