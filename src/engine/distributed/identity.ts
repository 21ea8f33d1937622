/** Whether a name means the same database here and where a run was begun. */
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { NamedStore } from '../../stores/queue-port.ts'
import { openCopyStore } from '../copy/open-stores.ts'
import { identifiedFolder, isFolderName } from './folder-identity.ts'
import { ownUrl, type NamedUrl } from './own-url.ts'

/**
 * What tells the database from every other one, whatever it is called.
 * @throws SluiceError CONNECT_FAILED, BAD_CONFIG … as opening it does
 */
export async function identified({ name, url }: NamedUrl): Promise<NamedStore> {
  await using store = await openCopyStore(url, { mode: 'read' })
  return { name, identity: store.identity, label: redactUrl(url) }
}

/** Looks at each store once in a while: a name may come to mean another database. */
export class Identities {
  readonly #known: readonly NamedUrl[]
  readonly #seen = new Map<string, { readonly identity: string; readonly at: number }>()
  readonly #now: () => number

  /** @param now ms of any clock that does not jump */
  constructor(known: readonly NamedUrl[], now: () => number) {
    this.#known = known
    this.#now = now
  }

  /** @throws SluiceError BAD_CONFIG for a store that is another one here, and as `identified` */
  async check(stores: readonly NamedStore[]): Promise<void> {
    for (const { name, identity, label } of stores) {
      if (isFolderName(name)) {
        checkFolder(name, identity)
        continue
      }
      const own = await this.#identityOf(name)
      if (own === identity) continue
      throw new SluiceError('BAD_CONFIG', `the store ${name} of this worker is another database than that of the run`, {
        where: redactUrl(ownUrl(name, this.#known)),
        reason: `the run was begun with ${label}`,
        hint: 'correct stores: in the config file of this worker',
      })
    }
  }

  async #identityOf(name: string): Promise<string> {
    const seen = this.#seen.get(name)
    if (seen !== undefined && this.#now() - seen.at < KEPT_MS) return seen.identity
    const { identity } = await identified({ name, url: ownUrl(name, this.#known) })
    this.#seen.set(name, { identity, at: this.#now() })
    return identity
  }
}

/** @throws SluiceError BAD_CONFIG, NO_SUCH_PATH */
function checkFolder(folder: string, identity: string): void {
  if (identifiedFolder(folder).identity === identity) return
  throw new SluiceError('BAD_CONFIG', `${folder} of this worker is another folder than that of the run`, {
    hint: 'workers on other machines share buckets and databases, and no folders; start one where the run was begun',
  })
}

const KEPT_MS = 60_000
