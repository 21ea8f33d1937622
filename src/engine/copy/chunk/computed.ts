/** Generated columns that both sides compute: read and compared on both sides, never written. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkWriter } from '../../../model/copy/target-port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { comparedColumns, keyPositions, plannedReadColumns, writeColumns } from '../table/context.ts'

/** Digest of the rows of one chunk with their generated columns. */
export class Computed {
  readonly #plan: TablePlan
  readonly #digest = new RowChecksum()

  constructor(plan: TablePlan) {
    this.#plan = plan
  }

  /** Columns to read after the written ones. */
  get columns(): readonly ReadColumn[] {
    return plannedReadColumns({ columns: this.#plan.checked ?? [] })
  }

  add(row: Row): void {
    if (this.#plan.checked !== undefined) this.#digest.add(row)
  }

  /** Removes from the digest a row that the target refused. */
  remove(row: Row): void {
    if (this.#plan.checked !== undefined) this.#digest.remove(row)
  }

  digest(): Digest {
    return this.#digest.digest()
  }

  /**
   * Compares rows with the target, including generated columns: all rows of a range, or rows with certain keys.
   * @param view source view of rows that were forwarded as bytes; null if rows went through `add`
   * @param only keys that the chunk wrote, if the range may contain other rows too; null for the whole range
   * @throws SluiceError PROOF_FAILED
   */
  async prove(
    writer: ChunkWriter,
    range: Range,
    view: SourceView | null,
    only: ReadonlySet<string> | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { checked, source: table, where = null } = this.#plan
    if (checked === undefined) return
    const columns = view === null ? comparedColumns(this.#plan) : keyAndGenerated(this.#plan)
    const read =
      view === null
        ? this.#digest.digest()
        : await view.digest({ table, columns: plannedReadColumns({ columns }), range, where, ordered: false }, signal)
    const stored = await writer.digest({
      scheme: 'canonical',
      columns: writeColumns({ columns }),
      ...(only === null ? {} : { only }),
    })
    refuseOtherValues(this.#plan, read, stored)
  }
}

/** Key and generated columns only: the bytes of the other columns were compared already. */
function keyAndGenerated(plan: TablePlan): TablePlan['columns'] {
  const key = keyPositions(plan).flatMap((at) => plan.columns.slice(at, at + 1))
  return comparedColumns({ ...plan, columns: key.length === 0 ? plan.columns : key })
}

/** @throws SluiceError PROOF_FAILED */
export function refuseOtherValues({ checked = [], source }: TablePlan, read: Digest, stored: Digest): void {
  if (equalDigests(read, stored)) return
  const names = checked.map(({ to }) => to).join(', ')
  throw new SluiceError(
    'PROOF_FAILED',
    `generated columns ${names} have other values in the target than in ${source.table.name}`,
    {
      reason: 'the expressions, the servers or their settings differ',
      hint: 'use the expressions of the source or plain columns in the target table, then copy again with --restart',
    },
  )
}
