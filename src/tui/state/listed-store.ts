/** A store beside what the program was opened with. */
import type { TableRow } from '../../model/lake/answers.ts'
import type { CopyRunEvent } from '../../model/run/answer-events.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

/** As it is handed in: by a config file, or remembered from an earlier session. */
export type NamedStore = {
  /** What people call it; its URL or path where nobody has given it a name. */
  readonly name: string
  /** A path, or a URL without password. */
  readonly url: string
  /** Why it cannot be asked at all. */
  readonly error?: ErrorInfo
}

export type Store = NamedStore & {
  readonly key: string
  /** By a person, and not by a config file: it is remembered. */
  readonly added: boolean
  /** Null until somebody has looked. */
  readonly kind: 'lake' | 'database' | null
  readonly open: boolean
  readonly state: 'unread' | 'reading' | 'ready' | 'failed'
  readonly failure: ErrorInfo | null
  /** Into a database, by its own ledger, the newest first. */
  readonly copies: readonly CopyRunEvent[]
  /** Of a lake. Those of a database are in `databases`. */
  readonly tables: readonly TableRow[]
}

export const OWN_STORE = 'store'

export const keyOfStore = (url: string): string => `${OWN_STORE} ${url}`

export function freshStore(named: NamedStore, added: boolean): Store {
  const { error } = named
  return {
    ...named,
    key: keyOfStore(named.url),
    added,
    kind: null,
    open: false,
    state: error === undefined ? 'unread' : 'failed',
    failure: error ?? null,
    copies: [],
    tables: [],
  }
}
