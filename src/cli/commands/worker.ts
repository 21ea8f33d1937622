/** worker and workers: their queue, and the stores that a worker knows by name. */
import { count, given, list, optionalText } from '../arguments.ts'
import { optionalDuration } from '../duration.ts'
import { allStores } from '../named-stores.ts'
import { chooseQueue } from '../queue-choice.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const worker: Command = {
  request: (args, { defaults, env }) => {
    const stores = allStores(defaults, env)
    // A variable that is not set prevents only runs that need it.
    const known = stores.filter(({ error }) => error === undefined)
    const unset = stores.filter(({ error }) => error !== undefined)
    const warnings = unset.map(
      ({ name, error }) => `store ${name} is not known to this worker: ${error?.message ?? ''}`,
    )
    return operate(
      {
        kind: 'worker',
        connect: chooseQueue(args, defaults, env),
        concurrency: count(args, 'concurrency', 1, 64),
        queues: list(args, 'queues').flatMap((word) => word.split(',').filter((name) => name !== '')),
        names: known.map(({ name }) => name),
        stores: known.map(({ url }) => url),
        ...given('idleMs', optionalDuration(args, 'idle')),
      },
      { printed: { env }, ...(warnings.length === 0 ? {} : { warnings }) },
    )
  },
}

const workers: Command = {
  request: (args, { defaults, env }) => {
    const connect = chooseQueue(args, defaults, env)
    const drain = optionalText(args, 'drain')
    // With --metrics the queue is watched, because Prometheus polls again and again.
    const isWatched = drain === undefined && optionalText(args, 'metrics') !== undefined
    const operation = isWatched
      ? ({ kind: 'workers-watch', connect } as const)
      : ({ kind: 'workers', connect, ...given('drain', drain) } as const)
    return operate(operation, { printed: { env } })
  },
}

export const commands = { worker, workers }
