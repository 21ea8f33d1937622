/** Current state of the tables that rows moved to. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { tableKeyOf } from '../../../engine/copy/ledger/owner.ts'
import { onSide } from '../../../engine/copy/sides.ts'

export type TargetTable = {
  /** Distinguishes the table from a later table of the same name; null if its system has no such mark. */
  readonly mark: string | null
  readonly rows: bigint
  readonly columns: readonly string[]
}

export class TargetSide implements AsyncDisposable {
  readonly #to: CopyStore
  readonly #signal: AbortSignal
  #view: Promise<SourceView> | null = null

  constructor(to: CopyStore, signal: AbortSignal) {
    this.#to = to
    this.#signal = signal
  }

  /** Counts a table's rows. @returns null if it does not exist @throws SluiceError CONNECTION_LOST, TARGET_DENIED … */
  async countRows({ schema, name }: { readonly schema: string; readonly name: string }): Promise<TargetTable | null> {
    const table: TableName = { name, ...(schema === '' ? {} : { schema }) }
    return await onSide('target', async () => {
      const mark = (await this.#to.offers.identification?.mark(table, this.#signal)) ?? null
      // The name may be a pattern that also matches other tables.
      const spec = (await this.#to.tables(tableText(table), this.#signal)).find((one) => {
        const key = tableKeyOf(one.table)
        return key.name === name && key.schema === schema
      })
      if (spec === undefined) return null
      this.#view ??= this.#to.source(this.#signal)
      const { rows } = await (await this.#view).extent(spec, null, true)
      const columns = spec.columns.map((column) => column.name)
      return { mark: mark?.lasting === true ? mark.text : null, rows, columns }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const view = await this.#view?.catch(() => null)
    await view?.[Symbol.asyncDispose]()
  }
}
