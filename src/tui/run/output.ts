/** Output of a run, line by line, as printed without the UI. It is shown if no other view draws the run. */
import { declarationOf } from '../../app/operations/facts.ts'
import { isRunShownOn } from './run-screen.ts'
import type { RunView } from './run-view.ts'

/** Maximum number of lines that are kept; older lines are dropped. */
const KEPT_LINES = 1000
/** A log line of the output: time, keyword and text, such as `0:02 FAILED   what`. */
const BLOCK = /^\s*(?:\d+:)?\d+:\d\d +(\S+) +(.*)$/

/** The run with new lines added. */
export function withOutput(run: RunView, lines: readonly string[]): RunView {
  return { ...run, output: [...run.output, ...lines].slice(-KEPT_LINES) }
}

/** True if the screen of the run shows its output, because no event arrived that another view draws. */
export function showsOutput(run: RunView): boolean {
  if (run.output.length === 0) return false
  if (run.copy !== null) {
    // A replication stream has its own view; the result of a cutover is text.
    if (run.copy.follow.isWhole && run.operation.kind !== 'cutover') return false
    return run.finished !== null && run.chunksDone === 0 && run.copy.tally().read === 0
  }
  return (
    run.results.length === 0 &&
    run.checks.length === 0 &&
    isRunShownOn(run.operation, 'tables') &&
    declarationOf(run.operation.kind).display === 'lines'
  )
}

/** True if a line of the output is a log line (time, keyword, text), not a table row. */
export function isReported(text: string): boolean {
  return BLOCK.test(text)
}

/** Tone of a line, by the keyword after its time. */
export function outputTone(text: string): 'bad' | 'warn' | 'plain' {
  const word = BLOCK.exec(text)?.[1] ?? ''
  if (word === 'FAILED' || word === 'DIFFERS' || word === 'ALARM') return 'bad'
  return word === 'refused' || word === 'retry' ? 'warn' : 'plain'
}
