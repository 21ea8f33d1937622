/** `--preset auto`: sizes of the parallel script, chosen by the size of the tables. */
import { presetBySize, SCRIPT_PRESETS, type ScriptSizes } from '../../../../model/copy/script-presets.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { CopyOperation } from '../../operations/copy/declaration.ts'
import type { Run } from '../../../run/run-context.ts'

/** Sets sizes that the user left open by the largest row estimate; reports them. @throws SluiceError of the source */
export async function sizedCopy(operation: CopyOperation, from: CopyStore, run: Run<'log'>): Promise<CopyOperation> {
  const { auto = [] } = operation.script ?? {}
  if (auto.length === 0) return operation
  const found = await Promise.all(operation.tables.map((pattern) => from.tables(pattern, run.interrupt.abort)))
  const rows = found.flat().reduce((most, table) => (table.rows > most ? table.rows : most), 0n)
  const preset = presetBySize(rows)
  const sizes: Partial<ScriptSizes> = Object.fromEntries(auto.map((name) => [name, SCRIPT_PRESETS[preset][name]]))
  const { workers = operation.workers, batchRows, pageRows } = sizes
  const set = auto.map((name) => `${WORDS[name]} ${SCRIPT_PRESETS[preset][name]}`).join(', ')
  run.emit({
    type: 'log',
    level: 'note',
    message: `preset ${preset}, for the largest table has about ${rows} rows: ${set}`,
  })
  return {
    ...operation,
    workers,
    // Stores other than Cassandra take their batch size from here.
    ...(batchRows === undefined || operation.batchRows === undefined ? {} : { batchRows }),
    cassandra: {
      ...operation.cassandra,
      ...(batchRows === undefined ? {} : { batchRows }),
      ...(pageRows === undefined ? {} : { pageRows }),
    },
  }
}

const WORDS: Readonly<Record<keyof ScriptSizes, string>> = {
  workers: 'workers',
  batchRows: 'rows of a batch',
  pageRows: 'rows of a page',
}
