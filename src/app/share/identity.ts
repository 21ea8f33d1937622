/** Checks that a store name means the same database here as on the machine that submitted the run. */
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { QueuedStore } from '../../model/share/queue-port.ts'
import { openCopyStore } from '../../engine/copy/open-stores.ts'
import { systemOf } from '../../engine/run/systems.ts'
import { folderDifference, isFolderName } from './folder-identity.ts'
import { ownUrl, type NamedUrl } from '../../model/share/own-url.ts'

/**
 * Current identity of a database, independent of its URL.
 * @throws SluiceError CONNECT_FAILED, BAD_CONFIG … as opening the database does
 */
export async function identified({ name, url }: NamedUrl): Promise<QueuedStore> {
  await using store = await openCopyStore(url, { mode: 'read' })
  return { name, identity: store.identity, label: redactUrl(url) }
}

/**
 * Checks every store now. Results are not cached: a database may be recreated under its name between two tasks.
 * @throws SluiceError BAD_CONFIG for a store that differs here, and as `identified`
 */
export async function checkStores(stores: readonly QueuedStore[], known: readonly NamedUrl[]): Promise<void> {
  for (const store of stores) {
    if (isFolderName(store.name)) checkFolder(store.name, store.identity)
    else await checkDatabase(store, ownUrl(store.name, known))
  }
}

async function checkDatabase(begun: QueuedStore, url: string): Promise<void> {
  const here = await identified({ name: begun.name, url })
  if (here.identity === begun.identity) return
  const difference = identityDifference(url, here.identity, begun.identity)
  throw new SluiceError(
    'BAD_CONFIG',
    `the store ${begun.name} on this worker is not the database of the run`,
    here.label === begun.label
      ? {
          where: here.label,
          reason: `${difference}; the URL is the same, so the database was recreated or restored, or this worker resolves its host name to another server`,
          hint: 'if this database is the right one, start the run again; if not, correct the connection of this worker',
        }
      : {
          where: here.label,
          reason: `${difference}; the run started with ${begun.label}`,
          hint: 'correct stores: in the config file of this worker',
        },
  )
}

/**
 * How two database identities differ, as text.
 * @param url URL of the local database; its system defines the names of an identity's parts in the text
 */
export function identityDifference(url: string, here: string, begun: string): string {
  const names = systemOf(url)?.copies?.identity ?? []
  const [own, other] = [here.split('/'), begun.split('/')]
  const isNamed = own.length === names.length && other.length === names.length
  const parts = isNamed ? names.map((name, at) => [name, own[at], other[at]] as const) : []
  const different = parts.filter(([, a, b]) => a !== b)
  const reported = different.length > 0 ? different : [['database', here, begun] as const]
  return reported.map(([name, a, b]) => `${name}: ${a} here, ${b} where the run was begun`).join('; ')
}

/** @throws SluiceError BAD_CONFIG, NO_SUCH_PATH */
function checkFolder(folder: string, identity: string): void {
  const reason = folderDifference(folder, identity)
  if (reason === null) return
  throw new SluiceError('BAD_CONFIG', `${folder} on this worker is not the folder of the run`, {
    reason,
    hint: 'workers on other machines share buckets and databases, but not folders; start a worker where the run was started, or start the run again on the machine with the right folder',
  })
}
