/** Halts a stream that may have lost changes: records and reports it, and returns the error that ends the run. */
import { SluiceError } from '../../../shared/errors.ts'
import { shellNames } from '../../../shared/shell.ts'
import type { StreamFault } from '../../../model/follow/port.ts'
import { FOLLOW_OTHERS, RESTART_STREAM } from '../../../model/follow/lost-stream.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'

/** @param faults at least one @param gone tables that the source no longer has, `tableText` @returns the error */
export async function haltStream(
  ledger: StreamLedger,
  stream: string,
  faults: readonly StreamFault[],
  run: CopyRun,
  gone: readonly string[] = [],
): Promise<SluiceError> {
  await ledger.note(stream, 'halted', faults)
  return reportedHalt(stream, faults, run, gone)
}

/** As `haltStream`, for a halt that is already recorded. */
export function reportedHalt(
  stream: string,
  faults: readonly StreamFault[],
  run: CopyRun,
  gone: readonly string[] = [],
): SluiceError {
  for (const fault of faults) run.emit({ type: 'follow.halted', ...fault })
  return haltError(stream, faults, gone)
}

/** Error for tables that the source no longer has. @param gone as in `haltStream`, at least one */
export function missingTables(stream: string, gone: readonly string[]): SluiceError {
  return new SluiceError(
    'STREAM_HALTED',
    `the source no longer has table ${gone.join(', ')}, or the login may not see it`,
    {
      reason: `stream ${stream} follows ${gone.length === 1 ? 'this table' : 'these tables'}; the position of the stream is kept`,
      hint: hintForMissing(stream, gone),
    },
  )
}

/** Error for a stream that may have lost changes. @param faults at least one */
function haltError(stream: string, faults: readonly StreamFault[], gone: readonly string[]): SluiceError {
  const tables = [...new Set(faults.flatMap((one) => one.tables))]
  const lost = faults.find(({ code }) => code === 'SLOT_LOST')
  const [first = lost] = faults
  // Do not set `where`: with it, `FollowLoop` takes the error as the stream's report that this table has changed.
  return new SluiceError(
    lost === undefined ? 'STREAM_HALTED' : 'SLOT_LOST',
    (lost ?? first)?.message ?? 'the stream is halted',
    {
      reason: `changes since ${first?.since} may be missing in ${tables.length === 0 ? 'every table of the stream' : tables.join(', ')}`,
      hint: tables.some((name) => gone.includes(name))
        ? hintForMissing(stream, gone)
        : `copy them again: ${recopyCommand(stream, faults, tables)}; no changes after that position are applied`,
    },
  )
}

/** Command that copies tables again. If only single tables have lost changes, the others keep their rows. */
function recopyCommand(stream: string, faults: readonly StreamFault[], tables: readonly string[]): string {
  const isSingle = ({ code, tables: of }: StreamFault): boolean =>
    code === 'TABLE_CHANGED' || (/^(?:PUBLICATION|TRIGGERS)_CHANGED$/.test(code) && of.length === 1)
  return faults.length > 0 && faults.every(isSingle)
    ? `sluice follow ${stream} --resync ${shellNames(tables)}`
    : RESTART_STREAM
}

/** Hint for missing tables, which cannot be copied again. */
function hintForMissing(stream: string, gone: readonly string[]): string {
  return (
    `restore ${gone.join(', ')} under that name, then run sluice follow ${stream} --resync ${shellNames(gone)}; ` +
    `or continue without ${gone.length === 1 ? 'it' : 'them'}: end the stream with sluice follow ${stream} --end${FOLLOW_OTHERS}`
  )
}
