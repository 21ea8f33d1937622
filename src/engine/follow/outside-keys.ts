/**
 * Foreign keys of tables of the target that a stream does not follow, and that lead to tables that it does. Sessions that apply changes check no foreign keys: a row
 * that the source deletes leaves rows here that refer to it, and ON DELETE CASCADE or SET NULL does not fire.
 */
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../model/sign-off.ts'
import type { Orphans, Referrer } from '../../stores/archive-port.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import { onSide } from '../copy/sides.ts'

/** Longest that the rows of one key are counted: before a stream begins, and for a sign-off. */
const [PLAN_MS, SIGN_OFF_MS] = [5000, 60_000]

type OutsideKey = { readonly key: Referrer; readonly orphans: Orphans }

/**
 * @param followed all tables of the target that the stream follows
 * @returns one warning for each foreign key, with what to do
 */
export async function outsideWarnings(
  to: CopyStore,
  followed: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly { readonly message: string; readonly hint: string }[]> {
  const warnings: { readonly message: string; readonly hint: string }[] = []
  for (const table of followed) {
    for (const one of await outsideKeys(to, table, followed, PLAN_MS, signal)) {
      const child = tableText(one.key.table)
      warnings.push({
        message: `${tableText(table)}: ${keyText(one.key)} is not checked for changes, and ${child} is not followed: a deleted row leaves the rows that refer to it${unfired(one.key)}; ${countText(one.orphans)}`,
        hint: `follow ${child} too, or drop the foreign key; sign-off counts its rows without a parent`,
      })
    }
  }
  return warnings
}

/**
 * @param tables those that are signed off
 * @param followed all tables of the target that the stream follows
 * @returns one check for each table; none where the store lists no foreign keys
 */
export async function outsideChecks(
  to: CopyStore,
  tables: readonly TableName[],
  followed: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  if (to.referrers === undefined) return []
  const checks: SignOffCheck[] = []
  for (const table of tables) {
    const head = { check: 'foreign keys of tables that are not followed', table: tableText(table) }
    const keys = await outsideKeys(to, table, followed, SIGN_OFF_MS, signal)
    if (keys.length === 0) {
      checks.push({ ...head, outcome: 'ok', found: 'none leads to it' })
      continue
    }
    const found = keys.map(({ key, orphans }) => `${keyText(key)}: ${countText(orphans)}`).join('; ')
    const isLacking = keys.some(({ orphans }) => 'rows' in orphans && orphans.rows > 0n)
    const isUnknown = keys.some(({ orphans }) => 'unknown' in orphans)
    const hint = `changes were applied without these foreign keys${keys.map(({ key }) => unfired(key)).find((text) => text !== '') ?? ''}: remove the rows without a parent, or follow their tables too; then sign off again`
    checks.push(
      isLacking
        ? { ...head, outcome: 'failed', found, hint }
        : { ...head, outcome: isUnknown ? 'not checked' : 'ok', found },
    )
  }
  return checks
}

async function outsideKeys(
  to: CopyStore,
  table: TableName,
  followed: readonly TableName[],
  budgetMs: number,
  signal: AbortSignal,
): Promise<readonly OutsideKey[]> {
  const store = to.referrers?.()
  if (store === undefined) return []
  const name = (one: TableName): string => JSON.stringify([one.schema ?? to.schema, one.name])
  const own = new Set(followed.map(name))
  return await onSide('target', async () => {
    const found: OutsideKey[] = []
    for (const key of await store.list(table, signal))
      if (!key.own && !own.has(name(key.table)))
        found.push({ key, orphans: await store.orphans(table, key, budgetMs, signal) })
    return found
  })
}

function keyText({ name, table, columns, onDelete }: Referrer): string {
  const called = name === null ? 'a foreign key' : `foreign key ${name}`
  return `${called} of ${tableText(table)} (${columns.join(', ')}), ON DELETE ${onDelete}`
}

function unfired({ onDelete }: Referrer): string {
  return /^(?:CASCADE|SET)/i.test(onDelete) ? `, and ON DELETE ${onDelete} does not fire` : ''
}

function countText(orphans: Orphans): string {
  if ('unknown' in orphans) return `its rows without a parent are not counted: ${orphans.unknown}`
  return orphans.rows === 1n ? '1 of its rows has no parent' : `${orphans.rows} of its rows have no parent`
}
