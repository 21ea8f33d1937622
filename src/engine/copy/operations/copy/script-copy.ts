/** `copy --settings`: a copy that emits a summary of its tables at the end, however it ends. */
import { openSourceStore } from '../../open-stores.ts'
import { openWithRetries, withRetries } from '../../workers/retries.ts'
import { CopySummary } from '../../compat/script/summary.ts'
import type { CopyOperation } from './declaration.ts'
import type { Ending, Run } from '../../../run/run-context.ts'
import type { Companion } from '../../companion.ts'
import type { CopyRun } from '../../copy-run.ts'
import { performCopy } from './perform.ts'
import { presetBySize, SCRIPT_PRESETS, type ScriptSizes } from '../../../../model/copy/script-presets.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import { givenFields } from '../../../../shared/given-fields.ts'

/** @throws as `copy` */
export async function scriptCopy(operation: CopyOperation, run: CopyRun, companion: Companion | null): Promise<Ending> {
  const summary = new CopySummary()
  const sized = operation.script?.auto === undefined ? operation : await bySize(operation, run)
  const emit: CopyRun['emit'] = (event) => {
    summary.event(event)
    run.emit(event)
  }
  try {
    return await performCopy(sized, { ...run, emit }, companion)
  } finally {
    const tables = summary.lines()
    if (tables.length > 0) run.emit({ type: 'copy.summary', tables })
  }
}

async function bySize(operation: CopyOperation, run: CopyRun): Promise<CopyOperation> {
  const { emit, interrupt } = run
  await using from = await openWithRetries(() => openSourceStore(operation.from), { emit }, interrupt.stop)
  return await withRetries(() => sizedCopy(operation, from, run), { emit }, interrupt.stop)
}

/**
 * Sets the sizes that `script.auto` names, from the preset for the largest row estimate, and reports them.
 * @throws SluiceError of the source
 */
async function sizedCopy(operation: CopyOperation, from: CopyStore, run: Run<'log'>): Promise<CopyOperation> {
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
    message: `preset ${preset}, because the largest table has about ${rows} rows: ${set}`,
  })
  return {
    ...operation,
    workers,
    // Batch size of stores other than Cassandra.
    ...(batchRows === undefined || operation.batchRows === undefined ? {} : { batchRows }),
    cassandra: {
      ...operation.cassandra,
      ...givenFields({ batchRows, pageRows }),
    },
  }
}

const WORDS: Readonly<Record<keyof ScriptSizes, string>> = {
  workers: 'workers',
  batchRows: 'rows of a batch',
  pageRows: 'rows of a page',
}
