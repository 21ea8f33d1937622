/** A store in addition to the program's own. */
import type { TableRow } from '../../../model/lake/answers.ts'
import type { CopyRunEvent } from '../../../model/run/answer-events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

/** Named by a config file, or remembered from an earlier session. */
export type RememberedStore = {
  /** Display name; its URL or path if it has none. */
  readonly name: string
  /** A path, or a URL without password. */
  readonly url: string
  /** Why the store cannot be read at all. */
  readonly error?: ErrorInfo
}

export type ListedStore = RememberedStore & {
  readonly key: string
  /** True: added by the user, therefore remembered. False: from a config file. */
  readonly added: boolean
  /** Null until read. */
  readonly kind: 'lake' | 'database' | null
  readonly open: boolean
  readonly state: 'unread' | 'reading' | 'ready' | 'failed'
  readonly failure: ErrorInfo | null
  /** Copies into this database from its own ledger, the newest first. */
  readonly copies: readonly CopyRunEvent[]
  /** Tables of a lake. Tables of a database are in `databases`. */
  readonly tables: readonly TableRow[]
}

export const OWN_STORE = 'store'

export const keyOfStore = (url: string): string => `${OWN_STORE} ${url}`

export function freshStore(named: RememberedStore, added: boolean): ListedStore {
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
