/** An archive belongs to one database: a copy of it, and the same one after a failover, are refused until somebody says that they go on with it. */
import type { ArchiveContext } from '../../archive/lifecycle/context.ts'
import { redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Origin } from '../../stores/copy-port.ts'

/** In words, for messages. */
const FACTS: Readonly<Record<string, string>> = {
  system: 'system identifier',
  database: 'database',
  timeline: 'timeline',
  server: 'server',
  file: 'inode of the file',
  made: 'birth time of the file',
  cluster: 'cluster',
  keyspace: 'keyspace',
  ledger: 'id of the ledger',
}

type Owned = Pick<ArchiveContext, 'name' | 'archived' | 'store' | 'interrupt' | 'heads' | 'log'>

/**
 * Before anything of the archive, or anything that relies on it, is changed. A ledger of an older program gets its origin here where nothing was published.
 * @throws SluiceError ARCHIVE_FOREIGN where the database is not the one that the ledger names, or the ledger names none
 */
export async function requireOrigin(context: Owned): Promise<void> {
  const { archived, store, interrupt, heads } = context
  const now = await originNow(context)
  if (archived.origin === null) {
    if ((await (await context.log()).state(interrupt.abort)) === null) return heads.setOrigin(now)
    throw foreign(context, 'an older sluice made it, and did not note to which database it belongs')
  }
  const changes = changedFacts(archived.origin, now)
  if (changes.length > 0) throw foreign(context, `${redactUrl(store.label)} is another database: ${changes.join(', ')}`)
  await (await context.log()).own(interrupt.abort, { tableId: archived.archiveId })
}

export async function originNow({ store, interrupt }: Pick<ArchiveContext, 'store' | 'interrupt'>): Promise<Origin> {
  return (await store.origin?.(interrupt.abort)) ?? {}
}

/** A fact that one side does not know says nothing; where no fact is known to both, nothing is known to be equal. */
function changedFacts(then: Origin, now: Origin): readonly string[] {
  const both = Object.keys(then).filter((name) => now[name] !== undefined)
  if (both.length === 0) return ['nothing that the ledger noted of it can be asked for any more']
  return both
    .filter((name) => then[name] !== now[name])
    .map((name) => `its ${FACTS[name] ?? name} was ${then[name]} and is ${now[name]}`)
}

function foreign({ name, archived }: Owned, what: string): SluiceError {
  return new SluiceError('ARCHIVE_FOREIGN', `this database may not write into the archive of ${name}: ${what}`, {
    where: redactUrl(archived.archive),
    reason: 'a copy of a database would publish over the archive of the original',
    hint: `after a failover, a restore, a move or an upgrade: sluice archive adopt --table ${name} --confirm=${name}; in a copy, first name a copy of the folder in migration_archives.archive`,
  })
}
