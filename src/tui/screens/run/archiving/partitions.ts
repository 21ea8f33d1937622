/** Partitions of an archive run: states reached, and progress of the current step. */
import { progressBar } from '../../../draw/bars.ts'
import { bytes, clockSpan, shownCount, percent, amount, seconds, shortRate } from '../../../../render/screen-format.ts'
import { chosen, line, rule, span, type Line, type Span } from '../../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, padStart, width } from '../../../../render/screen-text.ts'
import { marksOf } from '../../../draw/theme.ts'
import { STAGES, stepRates, type ArchivePartition, type StepView } from '../../../run/archiving/archive-partition.ts'
import type { ArchiveProgress } from '../../../run/archiving/archive-progress.ts'
import { shownSizes, timesText } from '../../../run/archiving/outcome.ts'
import type { RunView } from '../../../run/run-view.ts'
import { archivePartitions, archivePosition } from './archive-shown.ts'
import type { State } from '../../../state/state.ts'
import { runMark } from '../../../views/states.ts'
import { MARKED } from './texts.ts'

type Cells = { readonly name: number; readonly stages: number; readonly word: number }

const WORD = 11
/** Index of the state that a partition has after the step. */
const LEADS_TO: Readonly<Record<StepView['step'], number>> = {
  exporting: 2,
  verifying: 3,
  publishing: 4,
  detaching: 5,
  removing: 6,
  dropping: 6,
  restoring: -1,
}

/** Title, heading and `rows` partitions. */
export function partitionListLines(
  state: State,
  run: RunView,
  archiving: ArchiveProgress,
  rows: number,
  cells: number,
): Line[] {
  const partitions = archivePartitions(state, run)
  const { index, top } = archivePosition(state, run)
  const restoring = run.operation.kind === 'restore'
  const widths = {
    name: cells >= 160 ? 34 : cells >= 100 ? 24 : 16,
    stages: restoring ? 0 : STAGES.length + 2,
    word: WORD,
  }
  const heading = `   ${padEnd('PARTITION', widths.name)}${padEnd(restoring ? '' : 'STATES', widths.stages)}${padEnd('NOW', widths.word)}`
  const lines = partitions.slice(top, top + rows).map((partition, i) => {
    const here = top + i === index
    const made = partitionLine(partition, archiving, run, state, here, widths, cells)
    return here ? chosen(made, cells) : made
  })
  if (lines.length === 0)
    lines.push(line(state.runs.errorsOnly ? '   nothing is wrong with any partition · e shows all' : '', 'muted'))
  return [rule(summary(archiving, run, state), cells), line(heading, 'strong'), ...lines]
}

function summary(archiving: ArchiveProgress, run: RunView, state: State): string {
  const { waits, running, done, failed, blocked, held } = archiving.counts()
  const some = (n: number, word: string): string[] => (n > 0 ? [`${word} ${shownCount(n)}`] : [])
  return [
    `partitions ${shownCount(archiving.partitions.length)}`,
    ...some(done, 'done'),
    ...some(running, run.finished === null ? 'under way' : 'stopped'),
    ...some(waits, 'waiting'),
    ...some(failed, 'failed'),
    ...some(blocked, 'blocked'),
    ...some(held, 'held'),
    ...some(archiving.left.done, 'archived before'),
    ...some(archiving.left.later, 'not old enough'),
    ...some(archiving.left.restored, 'restored'),
    ...(state.runs.errorsOnly ? ['errors only'] : []),
  ].join(' · ')
}

function partitionLine(
  partition: ArchivePartition,
  archiving: ArchiveProgress,
  run: RunView,
  state: State,
  here: boolean,
  widths: Cells,
  cells: number,
): Line {
  const marks = marksOf(state.ascii)
  const { status, step } = partition
  const stopped = run.finished !== null && status === 'running'
  const name = archiving.tables > 1 ? `${partition.table} ${partition.name}` : partition.name
  const mark = runMark(stopped ? 'stopped' : MARKED[status], marks)
  const front = [
    span(here ? marks.row : ' '),
    mark,
    span(
      `${' '.repeat(Math.max(0, 2 - width(mark.text)))}${padEnd(cutMiddle(clean(name), widths.name - 1), widths.name)}`,
    ),
    ...(widths.stages === 0 ? [] : [span(padEnd(stageCells(partition, state.ascii), widths.stages), 'info')]),
  ]
  const room = cells - 3 - widths.name - widths.stages
  if (partition.error !== null) {
    return [...front, span(cutEnd(clean(`${partition.error.code} ${partition.error.message}`), room - 1), 'bad')]
  }
  const word = stopped ? 'stopped' : (step?.step ?? wordOf(partition))
  const after = room - widths.word
  return [...front, span(padEnd(word, widths.word)), ...facts(partition, run, state, after)]
}

function wordOf({ status, state, goal }: ArchivePartition): string {
  if (status === 'blocked' || status === 'held' || status === 'failed') return status
  if (status === 'waits') return goal === 'DROPPED' ? 'to drop' : state === null ? 'waits' : 'to resume'
  return (state ?? '').toLowerCase()
}

function facts(partition: ArchivePartition, run: RunView, state: State, room: number): readonly Span[] {
  const { status, step, plan } = partition
  if (step !== null && run.finished === null) return [span(stepText(step, partition, state, room))]
  if (status === 'blocked' || status === 'held') return [span(cutEnd(clean(plan?.note ?? ''), room - 1), 'warn')]
  if (status === 'waits') {
    const about = plan?.estimated === true ? 'about ' : ''
    const size = plan === null || plan.bytes === '0' ? '' : bytes(Number(plan.bytes))
    const time = plan?.estimatedMs === undefined ? '' : `about ${clockSpan(plan.estimatedMs)}`
    const texts = [`${about}${amount(partition.size, 'row')}`, size, time].filter((text) => text !== '')
    return [span(cutEnd(texts.join('   '), room - 1), 'muted')]
  }
  return [span(cutEnd(doneText(partition, room), room - 1))]
}

/** Bar, rows, rates and time left, as far as they fit. */
function stepText(step: StepView, partition: ArchivePartition, state: State, room: number): string {
  const total = step.total > 0 ? step.total : partition.size
  const part = total > 0 ? Math.min(0.99, step.rows / total) : null
  const { rows, bytes: moved } = stepRates(step)
  const left = rows === null || total <= step.rows ? null : ((total - step.rows) * 1000) / rows
  const numbers = [
    percent(part).padStart(5),
    ...(room >= 80 ? [padStart(`${shownCount(step.rows)}/${shownCount(total)}`, 28)] : []),
    padStart(rows === null ? '?' : shortRate(rows), 10),
    padStart(moved === null ? '' : `${bytes(moved)}/s`, 11),
    padStart(left === null ? '' : clockSpan(left), 6),
  ].join('')
  return `${progressBar(part, Math.max(4, room - numbers.length - 1), state.ascii)}${numbers}`
}

function doneText(partition: ArchivePartition, room: number): string {
  const { rows, sourceBytes, bytes: stored, files, version, ms } = partition
  const smaller =
    sourceBytes === null || stored === null || stored === 0
      ? ''
      : room >= 60
        ? shownSizes(sourceBytes, stored)
        : `${bytes(stored)} ${timesText(sourceBytes, stored)}`
  const texts = [
    rows === null ? '' : amount(rows, 'row'),
    smaller,
    room < 70 || files === null ? '' : amount(files, 'file'),
    room < 70 || version === null ? '' : `v${version}`,
    seconds(ms),
  ]
  return texts.filter((text) => text !== '').join('   ')
}

/** One cell per state: reached, in progress, open, or where it failed. */
function stageCells(partition: ArchivePartition, ascii: boolean): string {
  const signs = ascii
    ? { reached: '#', now: '+', open: '.', failed: 'x' }
    : { reached: '█', now: '▒', open: '·', failed: '✗' }
  const reached = partition.state === null ? -1 : STAGES.indexOf(partition.state)
  const now = partition.step === null ? -1 : LEADS_TO[partition.step.step]
  return STAGES.map((_, i) => {
    if (i === reached + 1 && partition.failed) return signs.failed
    if (i <= reached && (now < 0 || i < now)) return signs.reached
    return i === now ? signs.now : i < now ? signs.reached : signs.open
  }).join('')
}
