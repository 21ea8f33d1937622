/** Requires that an archive belongs to this database. After a failover, or in a copy, `archive adopt` is required. */
import { randomUUID } from 'node:crypto'
import { isBeingRebuilt } from '../ledger/rebuilt-ledger.ts'
import type { ArchiveContext } from '../steps/context.ts'
import type { LedgerName } from '../log/ledger-name.ts'
import { placeOfUrl, redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { Origin } from '../../model/copy/identification-port.ts'

/** Names of the facts of an origin, for messages. */
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

/** Context for checks of an archive's owner. */
export type Owned = Pick<ArchiveContext, 'name' | 'archived' | 'store' | 'interrupt' | 'heads' | 'log'>

/**
 * Requires that the archive belongs to this database. Call before a change of the archive, or a change that relies on
 * it. If nothing was published, records the origin in the ledger of an older program.
 * @throws SluiceError ARCHIVE_FOREIGN if the ledger has the origin of another database, or none; as `ArchiveLog.own`
 */
export async function requireOrigin(context: Owned): Promise<void> {
  const now = await originNow(context)
  if ((await inspectedAt(context, now)) === 'new') await context.heads.setOrigin(now)
  await nameLedger(context, now)
}

/** Gives this ledger a name, if it has none yet. Every later commit of the log contains the name. */
async function nameLedger({ archived, store, heads }: Owned, now: Origin): Promise<void> {
  if (archived.ledger === undefined) await heads.setName(ledgerName(null, store, now))
}

/**
 * Name of this ledger in the archive's log after an adoption: unchanged, unless its database is a copy of the database
 * for which it was named. After a failover or a restore, a database cannot be distinguished from a copy, so the ledger
 * gets a new name too.
 */
export function ledgerName(before: LedgerName | null, { label }: Pick<CopyStore, 'label'>, now: Origin): LedgerName {
  if (before !== null && changedFacts(before.of, now).length === 0) return before
  return { id: randomUUID(), at: placeOfUrl(label), of: now }
}

/** Checks as `requireOrigin`, but records nothing. @throws SluiceError as `requireOrigin` */
export async function inspectOrigin(context: Omit<Owned, 'heads'>): Promise<void> {
  await inspectedAt(context, await originNow(context))
}

/** @returns `new` if nothing was published yet: the archive then belongs to the database that claims it first */
async function inspectedAt(context: Omit<Owned, 'heads'>, now: Origin): Promise<'own' | 'new'> {
  const { archived, interrupt } = context
  if (archived.origin === null) {
    if ((await (await context.log()).state(interrupt.abort)) === null) return 'new'
    throw foreignError(context, 'an older sluice made it, and did not record its database')
  }
  if (isBeingRebuilt(archived)) throw foreignError(context, 'a program is rebuilding its ledger and has not finished')
  const other = otherDatabase(context, now)
  if (other !== null) throw other
  await (await context.log()).own(interrupt.abort, { tableId: archived.archiveId })
  return 'own'
}

/** Error if the ledger has the origin of another database; null for this database, or if no origin is recorded. */
export function otherDatabase(context: Pick<Owned, 'name' | 'archived' | 'store'>, now: Origin): SluiceError | null {
  const { archived, store } = context
  const changes = archived.origin === null ? [] : changedFacts(archived.origin, now)
  if (changes.length === 0) return null
  const verdict = sharedFacts(archived.origin ?? {}, now).length === 0 ? 'may be' : 'is'
  return foreignError(context, `${redactUrl(store.label)} ${verdict} another database: ${changes.join(', ')}`)
}

export async function originNow({ store, interrupt }: Pick<ArchiveContext, 'store' | 'interrupt'>): Promise<Origin> {
  return (await store.offers.identification?.origin(interrupt.abort)) ?? {}
}

function sharedFacts(then: Origin, now: Origin): readonly string[] {
  return Object.keys(then).filter((name) => now[name] !== undefined)
}

/** Texts about different facts. Facts that one origin lacks are ignored; if there is no common fact, a text says so. */
function changedFacts(then: Origin, now: Origin): readonly string[] {
  const both = sharedFacts(then, now)
  if (both.length === 0) return ['none of the recorded identifiers can be read in this database']
  return both
    .filter((name) => then[name] !== now[name])
    .map((name) => `its ${FACTS[name] ?? name} was ${then[name]} and is ${now[name]}`)
}

function foreignError({ name, archived }: Pick<Owned, 'name' | 'archived'>, what: string): SluiceError {
  return new SluiceError('ARCHIVE_FOREIGN', `this database may not write into the archive of ${name}: ${what}`, {
    where: redactUrl(archived.archive),
    reason: 'a copy of a database would overwrite the archive of the original',
    hint: `if this database is a copy, first copy the folder of the archive, and write its new location into migration_archives.archive; then, or after a failover, a restore, a move or an upgrade, run sluice archive adopt --table ${shellQuote(name)} --confirm=${shellQuote(name)}`,
  })
}
