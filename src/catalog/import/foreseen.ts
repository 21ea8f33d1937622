/** Finds out for a plan what an import would refuse. */
import { listLog } from '../../delta/listing.ts'
import { keysFrom } from './moved.ts'
import type { ImportOptions } from './options.ts'
import { soundStart } from './sound-start.ts'

type Foreseen = Pick<ImportOptions, 'database' | 'log' | 'parquet' | 'tableId' | 'moved' | 'interrupt'>

/**
 * Read-only; notes are left to the import.
 * @throws SluiceError as `soundStart` and `followLog`: TABLE_ID_TAKEN, NO_SUCH_TABLE, LOG_REWRITTEN, LOG_GAP …
 */
export async function refuseImport(options: Foreseen): Promise<void> {
  const { database, log, interrupt, moved } = options
  const signal = interrupt.abort
  const { start } = await soundStart(
    (from) => listLog(log, { signal, attributes: true, ...(from === undefined ? {} : { from }) }),
    { ...options, signal, onNote: () => undefined },
  )
  const before = start.kind === 'fresh' ? undefined : start.head?.location
  if (moved === true && before !== undefined) await database.read((reader) => keysFrom(reader, options, before))
}
