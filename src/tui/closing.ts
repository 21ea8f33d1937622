/** What the UI prints on the normal screen after it has left: how each run ended and the command that goes on. */
import { clockSpan } from './draw/format.ts'
import { clean } from './draw/text.ts'
import type { Event } from '../model/event.ts'

/** A run that has ended while the UI was open. */
export type FinishedRun = { readonly commandLine: string; readonly event: Event & { type: 'run.finished' } }

const WORD = 9

/** Lines in the words of a headless run: end, do, next, exit. */
export function closingLines(finished: readonly FinishedRun[]): readonly string[] {
  return finished.slice(-5).flatMap(({ commandLine, event }) => {
    const at = clockSpan(event.ms)
    const say = (word: string, text: string): string => `${at} ${word.padEnd(WORD)}${clean(text)}`
    const totals = Object.entries(event.totals)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')
    return [
      say('end', `${shortened(commandLine)}: ${event.status}${totals === '' ? '' : ` (${totals})`}`),
      ...(event.wrote ?? []).map((file) => say('wrote', file)),
      ...(event.error?.hint === undefined ? [] : [say('do', event.error.hint)]),
      ...(event.resumeCommand === undefined ? [] : [say('next', event.resumeCommand)]),
      say(
        'exit',
        `${event.exitCode}${event.error === undefined ? '' : `  ${event.error.code} ${event.error.message}`}`,
      ),
    ]
  })
}

/** The first command of a line without its catalog, and how many more there are: marked tables are imported as one run. */
function shortened(commandLine: string): string {
  const [first = '', ...more] = commandLine.split(' && ')
  return `${first.split(' --database-url')[0] ?? ''}${more.length === 0 ? '' : ` and ${more.length} more`}`
}
