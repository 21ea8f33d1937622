/**
 * Foreign keys from target tables outside a stream to tables of the stream. Sessions that apply changes do not check
 * foreign keys: a deleted row leaves rows that refer to it, and ON DELETE CASCADE or SET NULL does not fire.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../model/follow/sign-off.ts'
import type { Orphans, Referrer } from '../../../model/archive/port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { onSide } from '../../copy/sides.ts'

/** Timeouts for counting rows, ms: of all keys before a stream begins, and of one key for a sign-off. */
const [PLAN_MS, SIGN_OFF_MS] = [5000, 60_000]

type OutsideKey = { readonly table: TableName; readonly key: Referrer }

/**
 * @param followed all tables of the target in the stream
 * @param counts true to count the rows, too; false for a stream that resumes, which does not wait for the count
 * @returns one warning per foreign key, with a hint
 */
export async function outsideWarnings(
  to: CopyStore,
  followed: readonly TableName[],
  counts: boolean,
  signal: AbortSignal,
): Promise<readonly { readonly message: string; readonly hint: string }[]> {
  const warnings: { readonly message: string; readonly hint: string }[] = []
  const end = performance.now() + PLAN_MS
  for (const table of followed) {
    for (const one of await outsideKeys(to, table, followed, signal)) {
      const child = tableText(one.key.table)
      const leftMs = Math.max(0, end - performance.now())
      const count = counts ? `; ${countText(await orphansOf(to, one, leftMs, signal))}` : ''
      warnings.push({
        message: `${tableText(table)}: ${keyText(one.key)} is not checked for changes, and ${child} is not followed: if a row is deleted, the rows that refer to it stay${notFiringText(one.key)}${count}`,
        hint: `follow ${child} too, or drop the foreign key; sign-off counts its rows without a parent`,
      })
    }
  }
  return warnings
}

/**
 * @param tables that are signed off
 * @param followed all tables of the target in the stream
 * @returns one check per table; none if the store cannot list foreign keys
 */
export async function outsideChecks(
  to: CopyStore,
  tables: readonly TableName[],
  followed: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  if (to.offers.referrers === undefined) return []
  const checks: SignOffCheck[] = []
  for (const table of tables) {
    const head = { check: 'foreign keys of tables that are not followed', table: tableText(table) }
    const outside = await outsideKeys(to, table, followed, signal)
    if (outside.length === 0) {
      checks.push({ ...head, outcome: 'ok', found: 'none refers to it' })
      continue
    }
    const keys: { readonly key: Referrer; readonly orphans: Orphans }[] = []
    for (const one of outside) keys.push({ key: one.key, orphans: await orphansOf(to, one, SIGN_OFF_MS, signal) })
    const found = keys.map(({ key, orphans }) => `${keyText(key)}: ${countText(orphans)}`).join('; ')
    const isLacking = keys.some(({ orphans }) => 'rows' in orphans && orphans.rows > 0n)
    const isUnknown = keys.some(({ orphans }) => 'unknown' in orphans)
    const hint = `changes were applied without these foreign keys${keys.map(({ key }) => notFiringText(key)).find((text) => text !== '') ?? ''}: remove the rows without a parent, or follow their tables too; then sign off again`
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
  signal: AbortSignal,
): Promise<readonly OutsideKey[]> {
  const store = to.offers.referrers
  if (store === undefined) return []
  const name = (one: TableName): string => JSON.stringify([one.schema ?? to.schema, one.name])
  const own = new Set(followed.map(name))
  const keys = await onSide('target', () => store.list(table, signal))
  return keys.flatMap((key) => (key.own || own.has(name(key.table)) ? [] : [{ table, key }]))
}

async function orphansOf(
  to: CopyStore,
  { table, key }: OutsideKey,
  budgetMs: number,
  signal: AbortSignal,
): Promise<Orphans> {
  const store = budgetMs === 0 ? undefined : to.offers.referrers
  if (store === undefined) return { unknown: 'the time limit was used up by other keys' }
  return await onSide('target', () => store.orphans(table, key, budgetMs, signal))
}

function keyText({ name, table, columns, onDelete }: Referrer): string {
  const called = name === null ? 'a foreign key' : `foreign key ${name}`
  return `${called} of ${tableText(table)} (${columns.join(', ')}), ON DELETE ${onDelete}`
}

function notFiringText({ onDelete }: Referrer): string {
  return /^(?:CASCADE|SET)/i.test(onDelete) ? `, and ON DELETE ${onDelete} does not fire` : ''
}

function countText(orphans: Orphans): string {
  if ('unknown' in orphans) return `its rows without a parent are not counted: ${orphans.unknown}`
  return orphans.rows === 1n ? '1 of its rows has no parent' : `${orphans.rows} of its rows have no parent`
}
