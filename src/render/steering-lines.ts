/** Requests to a running operation, in words. A stream has no chunks. */
import type { EventBody } from '../model/run/event.ts'

type Steered<T extends EventBody['type']> = Extract<EventBody, { type: T }>

/** @param unit what a rate counts */
export function runSteered(
  { paused, workers, lanes, rate, stopping }: Steered<'run.steered'>,
  unit: 'rows' | 'bytes' = 'rows',
): string {
  const facts = [
    ...(paused === undefined ? [] : [paused ? 'paused' : 'resumed']),
    ...(workers === undefined ? [] : [`workers: ${workers}`]),
    ...(lanes === undefined ? [] : [`lanes: ${lanes}`]),
    ...(rate === undefined ? [] : [rate === null ? `no limit of ${unit} a second` : `at most ${rate} ${unit}/s`]),
    ...(stopping === undefined ? [] : ['stops after the running chunks']),
  ]
  return `as requested: ${facts.join(', ')}`
}

export function tableSteered({ table, chunk, act }: Steered<'table.steered'>): string {
  const what = chunk === undefined ? table : `chunk ${chunk} of ${table}`
  switch (act) {
    case 'pause':
      return `as requested: ${what} is paused until resume ${table}${chunk === undefined ? '' : `/${chunk}`}`
    case 'resume':
      return `as requested: ${what} continues`
    case 'skip':
      return `as requested: ${what} is left to another run`
    case 'retry':
      return `as requested: failed parts of ${what} are tried again`
  }
}
