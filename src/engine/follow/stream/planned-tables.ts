/** What a run says of the tables of its plan before a stream goes on with them. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'
import type { StreamRow } from '../../copy/ledger/stream-row.ts'

/** Tables that came to the source since. */
export function tellOthers({ unfollowed = [] }: PlannedCopy, stream: StreamRow | null, run: CopyRun): void {
  if (unfollowed.length === 0 || stream === null) return
  const names = unfollowed.map(tableText)
  const [verb, them] = names.length === 1 ? ['is', 'it'] : ['are', 'them']
  const hint = `sluice copy --follow --tables ${names.join(',')} follows ${them} by a stream of ${names.length === 1 ? 'its' : 'their'} own`
  const message = `${names.join(', ')} ${verb} not followed: stream ${stream.id} began without ${them}`
  run.emit({ type: 'log', level: 'note', message, hint })
}

/** @throws the error of the first table that cannot be planned; those of the others are told */
export function refusePlans({ tables }: PlannedCopy, run: CopyRun): void {
  const [first, ...others] = tables.flatMap(({ error, source }) => (error === null ? [] : [{ error, source }]))
  if (first === undefined) return
  for (const { error, source } of others) {
    const hint = error.hint === undefined ? {} : { hint: error.hint }
    run.emit({ type: 'log', level: 'error', table: tableText(source.table), message: error.message, ...hint })
  }
  throw first.error
}
