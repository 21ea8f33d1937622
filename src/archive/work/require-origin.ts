/** An archive belongs to one database: a copy of it, and the same one after a failover, are refused until somebody says that they go on with it. */
import { randomUUID } from 'node:crypto'
import { isBeingRebuilt } from '../ledger/rebuilt-ledger.ts'
import type { ArchiveContext } from '../steps/context.ts'
import type { LedgerName } from '../log/ledger-name.ts'
import { placeOfUrl, redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CopyStore, Origin } from '../../model/copy/port.ts'

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

/** What whoever asks for the standing of an archive needs of it. */
export type Owned = Pick<ArchiveContext, 'name' | 'archived' | 'store' | 'interrupt' | 'heads' | 'log'>

/**
 * Before anything of the archive, or anything that relies on it, is changed. A ledger of an older program gets its origin here where nothing was published.
 * @throws SluiceError ARCHIVE_FOREIGN where the database is not the one that the ledger names, or the ledger names none; as `ArchiveLog.own`
 */
export async function requireOrigin(context: Owned): Promise<void> {
  const now = await originNow(context)
  if ((await lookedAt(context, now)) === 'new') await context.heads.setOrigin(now)
  await nameLedger(context, now)
}

/** From now on the log names this ledger with each commit. */
async function nameLedger({ archived, store, heads }: Owned, now: Origin): Promise<void> {
  if (archived.ledger === undefined) await heads.setName(ledgerName(null, store, now))
}

/**
 * What this ledger is called in the archive's log from an adoption on: as before, unless it is that of a copy of the database that it was named for. After a failover or a
 * restore nothing tells it from a copy, and it gets a name of its own, too.
 */
export function ledgerName(before: LedgerName | null, { label }: Pick<CopyStore, 'label'>, now: Origin): LedgerName {
  if (before !== null && changedFacts(before.of, now).length === 0) return before
  return { id: randomUUID(), at: placeOfUrl(label), of: now }
}

/**
 * The same, and nothing is changed.
 * @throws SluiceError as `requireOrigin`
 */
export async function lookAtOrigin(context: Omit<Owned, 'heads'>): Promise<void> {
  await lookedAt(context, await originNow(context))
}

/** @returns `new` where nothing was published yet, so that the archive is this database's as soon as it says so */
async function lookedAt(context: Omit<Owned, 'heads'>, now: Origin): Promise<'own' | 'new'> {
  const { archived, interrupt } = context
  if (archived.origin === null) {
    if ((await (await context.log()).state(interrupt.abort)) === null) return 'new'
    throw foreign(context, 'an older sluice made it, and did not note to which database it belongs')
  }
  if (isBeingRebuilt(archived)) throw foreign(context, 'a program that made its ledger anew has not come to its end')
  const other = otherDatabase(context, now)
  if (other !== null) throw other
  await (await context.log()).own(interrupt.abort, { tableId: archived.archiveId })
  return 'own'
}

/** Why a run would refuse, where the ledger names another database than this one; null where it names this one, or none. */
export function otherDatabase(context: Pick<Owned, 'name' | 'archived' | 'store'>, now: Origin): SluiceError | null {
  const { archived, store } = context
  const changes = archived.origin === null ? [] : changedFacts(archived.origin, now)
  if (changes.length === 0) return null
  return foreign(context, `${redactUrl(store.label)} is another database: ${changes.join(', ')}`)
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

function foreign({ name, archived }: Pick<Owned, 'name' | 'archived'>, what: string): SluiceError {
  return new SluiceError('ARCHIVE_FOREIGN', `this database may not write into the archive of ${name}: ${what}`, {
    where: redactUrl(archived.archive),
    reason: 'a copy of a database would publish over the archive of the original',
    hint: `after a failover, a restore, a move or an upgrade: sluice archive adopt --table ${shellQuote(name)} --confirm=${shellQuote(name)}; in a copy, first name a copy of the folder in migration_archives.archive`,
  })
}
