/** What a validation found, line by line: checks, then the differences with both values. */
import type { Line } from '../draw/line.ts'
import { line, span } from '../draw/line.ts'
import { clean, cutMiddle, padEnd } from '../../render/screen-text.ts'
import { marksOf } from '../draw/theme.ts'
import type { RunView } from '../run/run-view.ts'
import type { State } from '../state/state.ts'

/** Lines of the checks of a run; none when it checks nothing. */
export function checkLines(run: RunView, state: State, cells: number): Line[] {
  const marks = marksOf(state.ascii)
  const checks = state.runs.errorsOnly ? run.checks.filter((c) => !c.equal) : run.checks
  const lines = checks.map((c): Line => [
    span(' '),
    c.equal ? span(marks.ok, 'ok') : span(marks.bad, 'bad'),
    span(` v${padEnd(c.version, 9)}${padEnd(cutMiddle(clean(c.check), 25), 26)}`),
    c.equal
      ? span(clean(`${c.log} = ${c.catalog}`))
      : span(clean(`log ${c.log} ${marks.differs} catalog ${c.catalog}`), 'bad'),
    span(`  ${clean(c.witness)}`, 'muted'),
  ])
  for (const m of run.mismatches) {
    lines.push([
      span(` ${marks.differs} v${padEnd(m.version, 9)}`, 'bad'),
      span(cutMiddle(clean(`${m.check} ${m.path ?? ''} ${m.field}`), Math.max(20, cells - 14))),
    ])
    lines.push(line(`     log      ${clean(m.log)}`), line(`     catalog  ${clean(m.catalog)}`, 'bad'))
  }
  if (run.mismatchCount > run.mismatches.length)
    lines.push(line(`   … ${run.mismatchCount - run.mismatches.length} earlier differences`, 'muted'))
  return lines
}
