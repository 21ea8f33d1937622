/** What `fsck` went through and found, line by line. */
import { bytes, countDec, numberOf, plural } from '../../render/screen-format.ts'
import type { Line } from '../draw/line.ts'
import { block, line, rule, span } from '../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import type { FsckView } from '../run/fsck-view.ts'
import type { State } from '../state/state.ts'

/** A title, the levels that are done, and the newest findings, as many as fit. */
export function fsckLines(fsck: FsckView, state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const levels = fsck.checked
    .filter(({ findings }) => !state.runs.errorsOnly || findings !== '0')
    .map(({ check, looked, of, findings, detail }): Line => {
      const all = looked === of ? countDec(of) : `${countDec(looked)} of ${countDec(of)}`
      return [
        span(' '),
        findings === '0' ? span(marks.ok, 'ok') : span(marks.bad, 'bad'),
        span(` ${padEnd(check, 13)}${padEnd(all, 18)}`),
        span(cutEnd(clean(detail), Math.max(10, cells - 35)), 'muted'),
      ]
    })
  const room = Math.max(1, rows - levels.length)
  const found = fsck.findings.slice(-room).map((one): Line => {
    const size = one.bytes === undefined ? '' : `  ${bytes(numberOf(one.bytes))}`
    return [
      span(` ${marks.differs} ${padEnd(one.finding, 18)}`, 'bad'),
      span(cutMiddle(clean(`${one.path ?? ''} ${one.detail}${size}`.trim()), Math.max(20, cells - 22))),
    ]
  })
  if (found.length === 0) found.push(line('   nothing is wrong so far', 'muted'))
  return block([rule(`files · ${plural(fsck.findingCount, 'finding')}`, cells), ...levels, ...found], cells, rows + 1)
}
