/** Events of a worker about its tasks, as lines. */
import type { Event } from '../model/run/event.ts'
import type { Block, MakeBlock } from './block.ts'
import { EXIT_OF_KIND } from '../shared/errors.ts'
import { visible } from '../shared/visible.ts'
import { durationText, grouped, plural } from '../shared/figures.ts'

const WORDS: Readonly<Record<Exclude<Extract<Event, { type: 'worker.slot' }>['state'], 'ended' | 'resting'>, string>> =
  {
    begun: 'begins',
    queued: 'returns it to the queue',
    lost: 'was taken over by another worker: its finished work stays, as the ledger shows',
    refused: 'is refused by this worker',
  }

/**
 * Text for a failed task that waits for its next attempt. `ms` is the duration of the failed attempt. It is printed
 * after "failed": at the end of the text, it would be read as the length of the rest.
 */
function failedText(ms: number | undefined): string {
  return `failed${ms === undefined ? '' : ` after ${durationText(ms)}`}, and is tried again after a rest`
}

function endOf(exitCode: number | undefined): string {
  if (exitCode === undefined || exitCode === 0) return 'is done'
  return exitCode === EXIT_OF_KIND.stopped ? 'has stopped' : 'has failed'
}

const HELD_STATES = {
  paused: 'is paused: it starts no work until it is resumed',
  skipped: 'is skipped: this run does not continue with it',
} as const

function tableLine({ table, chunk, held, unheard }: Extract<Event, { type: 'shared.table' }>, block: MakeBlock): Block {
  const name = `${visible(table)}${chunk === undefined ? '' : `/${chunk}`}`
  const late = unheard === '0' ? '' : `; ${plural(Number(unheard), 'task')} at work not yet informed`
  return block('note', `${name}  ${HELD_STATES[held]}${late}`)
}

/** Blocks of an event of a worker; empty for other events. */
export function workerEventLines(event: Event, block: MakeBlock): readonly Block[] {
  if (event.type === 'shared.table') return [tableLine(event, block)]
  if (event.type !== 'worker.slot') return []
  const { run, slot, about, state, command, rows, chunks, ms, exitCode, error } = event
  const what = [`run ${run} task ${slot}`, command, about].filter((part) => part !== undefined).join('  ')
  const came =
    ms === undefined
      ? ''
      : `: ${[
          ...(rows === undefined || rows === '0' ? [] : [`${grouped(rows)} rows`]),
          ...(chunks === undefined || chunks === '0' ? [] : [plural(Number(chunks), 'chunk')]),
          ...(state === 'resting' ? [] : [durationText(ms)]),
          ...(exitCode === undefined || exitCode === 0 ? [] : [`exit ${exitCode}`]),
        ].join(', ')}`
  const details: Block['details'] =
    error === undefined
      ? []
      : [
          ['why', `${error.code} ${error.message}${error.reason === undefined ? '' : `: ${error.reason}`}`],
          ...(error.hint === undefined ? [] : [['do', error.hint] as const]),
        ]
  const how = state === 'ended' ? endOf(exitCode) : state === 'resting' ? failedText(ms) : WORDS[state]
  return [
    block('note', `${what}  ${how}${came}`, {
      details,
      problem: state === 'refused',
    }),
  ]
}
