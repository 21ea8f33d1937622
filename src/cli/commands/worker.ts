/** worker and workers: their queue, and the stores that a worker knows by name. */
import { requiredCount, given, givenList, givenText } from '../parse/arguments.ts'
import { givenDuration } from '../flags/duration.ts'
import { allStores } from '../config/named-stores.ts'
import { chooseQueue } from '../flags/queue-choice.ts'
import { operate, type Command } from './command.ts'

const worker: Command = {
  request: (args, { defaults, env }) => {
    const stores = allStores(defaults, env)
    // Leave out stores whose variable is not set: only runs that need such a store fail.
    const known = stores.filter(({ error }) => error === undefined)
    const unset = stores.filter(({ error }) => error !== undefined)
    const warnings = unset.map(
      ({ name, error }) => `store ${name} is not known to this worker: ${error?.message ?? ''}`,
    )
    return operate(
      {
        kind: 'worker',
        connect: chooseQueue(args, defaults, env),
        concurrency: requiredCount(args, 'concurrency', 1, 64),
        queues: givenList(args, 'queues').flatMap((word) => word.split(',').filter((name) => name !== '')),
        names: known.map(({ name }) => name),
        stores: known.map(({ url }) => url),
        ...given('idleMs', givenDuration(args, 'idle')),
      },
      { printed: { env }, ...(warnings.length === 0 ? {} : { warnings }) },
    )
  },
}

const workers: Command = {
  request: (args, { defaults, env }) => {
    const connect = chooseQueue(args, defaults, env)
    const drain = givenText(args, 'drain')
    // With --metrics the command does not end: it watches the queue, because Prometheus reads the metrics repeatedly.
    const isWatched = drain === undefined && givenText(args, 'metrics') !== undefined
    const operation = isWatched
      ? ({ kind: 'workers-watch', connect } as const)
      : ({ kind: 'workers', connect, ...given('drain', drain) } as const)
    return operate(operation, { printed: { env } })
  },
}

export const commands = { worker, workers }
