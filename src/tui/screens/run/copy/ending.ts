/** Result of a copy: a sentence, what to do, and the next command. */
import type { FollowProgressEvent } from '../../../../model/follow/events.ts'
import { dependencyLines } from '../../../../model/copy/dependencies.ts'
import { span, type Line, type Tone } from '../../../draw/line.ts'
import { clean, wrap } from '../../../../render/screen-text.ts'
import { bytes, numberOf, amount } from '../../../../render/screen-format.ts'
import type { RunView } from '../../../run/run-view.ts'
import { lagText } from './follow.ts'
import { retryOf } from './texts.ts'

/** Rows, at most `cells` wide; empty while the run is active. */
export function endingLines(run: RunView, cells: number): readonly Line[] {
  const { finished, copy } = run
  if (finished === null || copy === null) return []
  const tone: Tone = finished.status === 'ok' ? 'ok' : finished.status === 'stopped' ? 'warn' : 'bad'
  const lines: Line[] = []
  const say = (label: string, text: string, how: Tone): void => {
    const rows = wrap(clean(text), Math.max(20, cells - 9))
    lines.push(...rows.map((row, i): Line => [span(` ${(i === 0 ? label : '').padEnd(7)}`, 'muted'), span(row, how)]))
  }
  const why = finished.error === undefined ? '' : ` · ${finished.error.code} ${finished.error.message}`
  say('end', `${finished.status}, exit ${finished.exitCode}${why === '' ? provedText(run) : why}`, tone)
  const quarantined = copy.tally().quarantined > 0
  if (finished.notChecked !== undefined) say('note', finished.notChecked, 'plain')
  const left = isFollowed(run) ? leftBehindText(copy.follow.last) : null
  if (left !== null) say('left', left, copy.follow.last?.lagMs === 0 ? 'plain' : 'warn')
  if (finished.error?.hint !== undefined) say('do', finished.error.hint, 'strong')
  if (quarantined) say('retry', retryOf(run), 'strong')
  if (finished.resumeCommand !== undefined) say('next', finished.resumeCommand, 'plain')
  // On a small screen the notes are only in the log.
  if (cells < 100) return lines
  for (const note of new Set(copy.tables.flatMap(({ result }) => result?.notes ?? []))) say('note', note, 'muted')
  for (const text of dependencyLines(finished.leftBehind ?? [])) say('note', text, 'muted')
  return lines
}

function provedText({ copy, operation, finished }: RunView): string {
  if (copy === null || operation.kind !== 'copy') return ''
  const { all, proved, aside: quarantined } = copy.chunks()
  // A run that only replicated has compared no chunk.
  if (all === 0 && isFollowed({ copy, operation })) return ''
  if (operation.verify === 'none') return ' · nothing was proved, as requested'
  const how =
    operation.verify === 'count' ? 'the numbers of rows are equal' : 'rows and checksums are equal on both sides'
  // The tables have changed since the copy, so the proof of the chunks is about the rows at that time.
  const when = isFollowed({ copy, operation }) ? ' when they were copied' : ''
  const total = (name: string): number => Number(finished?.totals[name] ?? 0)
  const weak = total('unproved') + total('counted')
  const earlier = total('earlier') - weak
  const here = Math.max(0, proved + quarantined - earlier)
  const bare = weak === 0 ? '' : `; ${weak} copied by earlier runs without that proof`
  if (here === 0 && earlier + weak > 0) return ` · ${earlier} of ${amount(all, 'chunk')} proved by earlier runs${bare}`
  const before = earlier === 0 ? '' : `; ${earlier} by earlier runs`
  return ` · ${here} of ${amount(all, 'chunk')} proved: ${how}${when}${before}${bare}`
}

/** True if the copy is followed by a replication stream. */
function isFollowed({ copy, operation }: Pick<RunView, 'copy' | 'operation'>): boolean {
  return copy?.follow.last != null || (operation.kind === 'copy' && operation.follow !== undefined)
}

/** Changes that a stream had not applied at its last report; null if all were applied. */
function leftBehindText(last: FollowProgressEvent | null): string | null {
  if (last === null) return 'the lag is unknown: the source was not read'
  const waiting = last.waiting === undefined ? bytes(numberOf(last.lagBytes)) : amount(Number(last.waiting), 'note')
  if (last.lagMs > 0) return `${lagText(last)} were not applied when the source was last read`
  if (numberOf(last.waiting ?? last.lagBytes) === 0) return null
  // Changes of other tables make the log grow, too, so its size does not show that changes are waiting.
  return last.waiting === undefined
    ? `no waiting changes were known; the next run reads ${waiting} of the source's log`
    : `the next run reads the last ${waiting}`
}
