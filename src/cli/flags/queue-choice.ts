/** Chooses the database of the queue: `--connect`, else `connect:` of the config file. */
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { givenText, type Arguments } from '../parse/arguments.ts'
import type { ConfigDefaults } from '../config/config.ts'
import { noSuchStore, storeOr, resolvedVariable } from '../config/named-stores.ts'
import type { KnownQueue } from '../../app/thread/threaded-queue.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Options of `--distributed`. */
export type DistributedOptions = {
  /** URL of the queue's database. */
  readonly connect: string
  /** Name of the queue; null: the unnamed queue, for workers without queue names. */
  readonly queue: string | null
  /** Number of tasks. */
  readonly slots: number
  /** Stores of the config file. */
  readonly stores: readonly NamedUrl[]
}

/** URL of the queue's database. @throws SluiceError BAD_FLAG if none is given */
export function chooseQueue(args: Arguments, defaults: ConfigDefaults, env: Env): string {
  const flag = givenText(args, 'connect')
  const word = flag ?? (defaults.connect === undefined ? undefined : resolvedVariable(defaults.connect, env, 'connect'))
  if (word === undefined) {
    throw new SluiceError('BAD_FLAG', 'no queue is given', {
      hint: 'add --connect with the URL of a PostgreSQL database, such as postgresql://user@host/database, or connect: to the config file',
    })
  }
  const url = storeOr(word, defaults, env)
  const unknown = noSuchStore(url, defaults, flag === undefined ? 'connect of the config file' : '--connect')
  if (unknown !== null) throw unknown
  return url
}

/**
 * The queue shown in the UI; null if none is configured. The UI reports an unset variable, which does not prevent its
 * start.
 * @throws SluiceError BAD_FLAG if the flag names no database
 */
export function knownQueue(args: Arguments, defaults: ConfigDefaults, env: Env): KnownQueue | null {
  const isFlag = givenText(args, 'connect') !== undefined
  if (!isFlag && defaults.connect === undefined) return null
  try {
    return { url: chooseQueue(args, defaults, env) }
  } catch (error) {
    if (isFlag) throw error
    return { url: defaults.connect ?? '', error: asSluiceError(error).info() }
  }
}
