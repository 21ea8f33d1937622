/** Which database holds the queue of workers: `--connect`, else `connect:` of the config file. */
import { asSluiceError, SluiceError } from '../shared/errors.ts'
import { optionalText, type Arguments } from './arguments.ts'
import type { ConfigDefaults } from './config.ts'
import { noSuchStore, storeOr, urlBehind } from './named-stores.ts'
import type { KnownQueue } from '../app/thread/threaded-queue.ts'
import type { NamedUrl } from '../model/share/own-url.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What `--distributed` asks for. */
export type DistributedWish = {
  /** URL of the queue's database. */
  readonly connect: string
  /** Queue that its slots wait in; null is that of every worker. */
  readonly queue: string | null
  readonly slots: number
  /** Stores of the config file. */
  readonly stores: readonly NamedUrl[]
}

/** @throws SluiceError BAD_FLAG where nobody names one */
export function chooseQueue(args: Arguments, defaults: ConfigDefaults, env: Env): string {
  const flag = optionalText(args, 'connect')
  const word = flag ?? (defaults.connect === undefined ? undefined : urlBehind(defaults.connect, env, 'connect'))
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
 * The queue that the UI shows beside runs of this machine; null where nobody names one. A variable that is not set is
 * told there, and stops nothing.
 * @throws SluiceError BAD_FLAG where the flag names none
 */
export function knownQueue(args: Arguments, defaults: ConfigDefaults, env: Env): KnownQueue | null {
  const isFlag = optionalText(args, 'connect') !== undefined
  if (!isFlag && defaults.connect === undefined) return null
  try {
    return { url: chooseQueue(args, defaults, env) }
  } catch (error) {
    if (isFlag) throw error
    return { url: defaults.connect ?? '', error: asSluiceError(error).info() }
  }
}
