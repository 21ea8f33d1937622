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
  return toldHalt(stream, faults, run)
}

/** The same for one that is noted already. */
export function toldHalt(stream: string, faults: readonly StreamFault[], run: CopyRun): SluiceError {
  for (const fault of faults) run.emit({ type: 'follow.halted', ...fault })
  return halted(stream, faults)
}

/** What a run ends with whose stream may have lost changes. @param faults at least one */
function halted(stream: string, faults: readonly StreamFault[]): SluiceError {
  const tables = [...new Set(faults.flatMap((one) => one.tables))]
  const lost = faults.find(({ code }) => code === 'SLOT_LOST')
  const [first = lost] = faults
  // Without \`where\`: that names a table of which the stream itself told.
  return new SluiceError(
    lost === undefined ? 'STREAM_HALTED' : 'SLOT_LOST',
    (lost ?? first)?.message ?? 'the stream is halted',
    {
      reason: `changes since ${first?.since} may be missing in ${tables.length === 0 ? 'every table of the stream' : tables.join(', ')}`,
      hint: `copy them again: ${command(stream, faults, tables)}; nothing is applied behind that position`,
    },
  )
}

/** Where single tables have lost changes, the others go on. */
function command(stream: string, faults: readonly StreamFault[], tables: readonly string[]): string {
  const isSingle = ({ code, tables: of }: StreamFault): boolean =>
    code === 'TABLE_CHANGED' || (code === 'PUBLICATION_CHANGED' && of.length === 1)
  return faults.length > 0 && faults.every(isSingle)
    ? `sluice follow ${stream} --resync ${tables.join(',')}`
    : 'the command that began the stream, with --restart'
}
