/** The target table of archived rows: another table of their own database, or a table of another database. */
import type { ArchiveContext } from '../steps/context.ts'
import type { ArchiveRecord } from '../ledger/record.ts'
import { namedParts, quotedTable, tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import type { LeftKind } from '../../model/copy/dependencies.ts'
import { SluiceError } from '../../shared/errors.ts'
import { foldedText } from '../../shared/name-pattern.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { openCopyStore } from '../../engine/copy/open-stores.ts'
import { refuseOwnTarget } from '../../engine/copy/plan/refused-targets.ts'
import { targetTableNow } from '../../engine/copy/plan/plan-copy.ts'
import { namesInTarget } from '../../engine/copy/plan/target-name.ts'
import { titlesOf } from '../../engine/run/systems.ts'
import { refuseFollowedTables } from '../plan/followed-table.ts'
import { findArchive } from '../work/find-archive.ts'
import { Ledgers } from '../work/find-ledger.ts'

export type RestoreDestination = { readonly into?: string; readonly intoUrl?: string; readonly dryRun: boolean }

/** @property isOwn true if the store is the database of the archived table */
export type RestoreTarget = AsyncDisposable & { readonly store: CopyStore; readonly isOwn: boolean }

/** @throws SluiceError UNSUPPORTED_URL, CONNECT_FAILED … */
export async function openRestoreTarget(
  own: CopyStore,
  { intoUrl, dryRun }: RestoreDestination,
): Promise<RestoreTarget> {
  const same: RestoreTarget = { store: own, isOwn: true, async [Symbol.asyncDispose]() {} }
  if (intoUrl === undefined) return same
  const store = await openCopyStore(intoUrl, { mode: dryRun ? 'plan' : 'write' })
  const isOwn = store.identity === own.identity
  // Keep this store even for the database of the archived table: the role in `intoUrl` may have other rights.
  if (!isOwn || store.can.writers > 1) {
    return { store, isOwn, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
  }
  // A file with one writer can be opened only once per program: two stores would wait for each other.
  await store[Symbol.asyncDispose]()
  return same
}

/** @throws SluiceError UNSUPPORTED_URL if rows and proof cannot be written in one transaction */
export function refuseUnfitTarget({ can, label }: CopyStore): void {
  if (can.atomic === 'chunk') return
  throw new SluiceError('UNSUPPORTED_URL', 'archived rows cannot be restored into this system', {
    where: label,
    reason: 'it cannot undo a partial write, so rows of an interrupted run could not be distinguished from other rows',
    hint: `name a database of ${titlesOf(({ copies }) => copies?.atomic === 'chunk')}`,
  })
}

/**
 * Parses `into`: if the target has schemas, `name` or `schema.name`, also in double quotes; otherwise a plain name.
 * Without `into`, returns the name of the source table.
 */
export function targetName(own: CopyStore, to: CopyStore, source: TableName, into?: string): TableName {
  if (into === undefined) return namesInTarget({ name: source.name }, source, own, to)[0]
  if (to.schema === null) return { name: into }
  const [schema, name] = namedParts(into)
  return schema === '' ? { schema: to.schema, name: quotedTable(into)?.name ?? into } : { schema, name }
}

/**
 * The table of that name; null if it does not exist.
 * @throws SluiceError BAD_FLAG for the table of the archive itself, its partitions, and sluice's own tables;
 * TABLE_REFUSED for a view; TABLE_FOLLOWED
 */
export async function restoreTargetTable(
  context: Pick<ArchiveContext, 'store' | 'table' | 'name' | 'interrupt'>,
  record: ArchiveRecord,
  { store, isOwn }: RestoreTarget,
  name: TableName,
): Promise<TableSpec | null> {
  const { abort } = context.interrupt
  const found = await targetTableNow(name, store, abort)
  const called = found?.table ?? name
  refuseOtherDatabase(store, called)
  if (isOwn) await refuseSource(context, record, called)
  const hint = 'name another table with --into, or another database; nothing was changed'
  refuseOwnTarget(called, found, store, { onExisting: 'append' }, 'write', hint)
  if (found === null) await refuseOther(store, called, abort)
  else {
    await using ledgers = await Ledgers.open(store, false)
    await refuseFollowedTables({ store, database: ledgers.own }, [found.table], abort)
    const other = await findArchive({ store, ledgers }, found.table, abort)
    if (other.record?.archiveId === record.archiveId) throw sameArchive(found.table, store)
  }
  return found
}

/** Refuses a table outside of the database that the URL names: the ledgers of its own database would not be checked. */
function refuseOtherDatabase({ can, schema, label }: CopyStore, into: TableName): void {
  if (can.ledgerPerSchema !== true || schema === null || into.schema === undefined) return
  const letters = can.folds?.tables ?? 'exact'
  if (foldedText(into.schema, letters) === foldedText(schema, letters)) return
  throw new SluiceError(
    'BAD_FLAG',
    `rows cannot be restored into ${tableText(into)}: it is not in the database ${schema} of the URL`,
    {
      where: label,
      reason:
        'only the ledgers in its own database show whether the table is the source, or a table that other programs write into',
      hint: `nothing was changed; give the database of the table with --into-url, and ${into.name} alone with --into`,
    },
  )
}

/** Kinds of objects that can have the name of the target table but are not tables. */
const OTHERS: ReadonlySet<LeftKind> = new Set<LeftKind>(['view', 'foreign table', 'virtual table', 'free sequence'])

async function refuseOther(store: CopyStore, name: TableName, signal: AbortSignal): Promise<void> {
  const isIt = (text: string): boolean =>
    text === tableText(name) || text === name.name || (name.schema === undefined && text.endsWith(`.${name.name}`))
  const left = await store.dependencies().notCopied({ tables: [name], all: true }, signal)
  const other = left.find(({ kind, names }) => OTHERS.has(kind) && names.some(isIt))
  if (other === undefined) return
  const kind = other.kind === 'free sequence' ? 'sequence' : other.kind
  throw new SluiceError('TABLE_REFUSED', `${tableText(name)} is a ${kind}, not a table`, {
    where: store.label,
    reason: 'archived rows are restored into a table, which is created if missing',
    hint: 'name another table with --into; nothing was changed',
  })
}

function sameArchive(table: TableName, { label }: CopyStore): SluiceError {
  return new SluiceError(
    'BAD_FLAG',
    `rows cannot be restored into ${tableText(table)}: the target records the same archive for this table`,
    {
      where: label,
      reason: 'the target is a copy of the archived database: its queries would count these rows twice',
      hint: 'name another table with --into',
    },
  )
}

async function refuseSource(
  { store, table, name, interrupt }: Pick<ArchiveContext, 'store' | 'table' | 'name' | 'interrupt'>,
  { partitions }: ArchiveRecord,
  into: TableName,
): Promise<void> {
  const asked = tableText(into)
  const restore = `sluice restore --table ${shellQuote(name)} --partition LABEL`
  if (asked === tableText(table.table)) {
    throw new SluiceError('BAD_FLAG', `--into names the archived table itself: ${name}`, {
      hint: `to restore rows into this table, remove --into: ${restore}`,
    })
  }
  const natives = store.offers.partitions
  if (natives === undefined) return
  const tables = partitions.flatMap(({ native }) => native ?? [])
  const kin = await natives.relatives(
    table.table,
    tables.map(({ identity }) => identity),
    interrupt.abort,
  )
  const left = tables.map((native) => natives.detachedName(native.table, native.identity))
  const isAmong = (all: readonly TableName[]): boolean => all.some((one) => tableText(one) === asked)
  if (isAmong(kin.above)) {
    throw new SluiceError(
      'BAD_FLAG',
      `rows cannot be restored into ${asked}: ${name} is a partition of it, or inherits from it`,
      {
        reason: 'rows restored into it would be counted as rows of the source',
        hint: 'name another table with --into; nothing was changed',
      },
    )
  }
  if (!isAmong([...kin.below, ...left])) return
  throw new SluiceError(
    'BAD_FLAG',
    `rows cannot be restored into ${asked}: it is a partition of ${name}, or inherits from it`,
    {
      reason: 'rows restored into it would be counted in addition to the archived ones, or would prevent their restore',
      hint: `name another table; or restore the partition: ${restore}`,
    },
  )
}
