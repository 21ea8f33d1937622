/** A stream that may have lost changes: noted in the ledger, told, and the error that ends the run. */
import { SluiceError } from '../../shared/errors.ts'
import type { StreamFault } from '../../stores/follow-port.ts'
import type { CopyRun } from '../copy/copy-run.ts'
import type { StreamLedger } from './ledger/streams.ts'

/** @param faults at least one @returns the error to throw */
export async function haltStream(
  ledger: StreamLedger,
  stream: string,
  faults: readonly StreamFault[],
  run: CopyRun,
): Promise<SluiceError> {
  await ledger.note(stream, 'halted', faults)
  return toldHalt(faults, run)
}

/** The same for one that is noted already. */
export function toldHalt(faults: readonly StreamFault[], run: CopyRun): SluiceError {
  for (const fault of faults) run.emit({ type: 'follow.halted', ...fault })
  return halted(faults)
}

/** What a run ends with whose stream may have lost changes. @param faults at least one */
function halted(faults: readonly StreamFault[]): SluiceError {
  const tables = [...new Set(faults.flatMap((one) => one.tables))]
  const lost = faults.find(({ code }) => code === 'SLOT_LOST')
  const [first = lost] = faults
  // Without \`where\`: that names a table of which the stream itself told.
  return new SluiceError(
    lost === undefined ? 'STREAM_HALTED' : 'SLOT_LOST',
    (lost ?? first)?.message ?? 'the stream is halted',
    {
      reason: `changes since ${first?.since} may be missing in ${tables.length === 0 ? 'every table of the stream' : tables.join(', ')}`,
      hint: 'copy them again: the same command with --restart; nothing is applied behind that position',
    },
  )
}
