/**
 * Foreign keys of the target that sessions which apply changes do not check: of followed tables, and of other tables
 * that refer to these. A row without a parent is stored; a deleted row leaves the rows that refer to it, and ON DELETE
 * CASCADE or SET NULL does not fire.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../model/follow/sign-off.ts'
import type { CountedKey, Orphans, Referrer } from '../../../model/archive/constraints-port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { onSide } from '../../copy/sides.ts'

/** Timeouts for counting rows, ms: of all keys before a stream begins, and of one key for a sign-off. */
const [PLAN_MS, SIGN_OFF_MS] = [5000, 60_000]

/** A key of the followed table `of`, or of a table that is not followed, to the followed table `to`; or both. */
type UncheckedKey = CountedKey & { readonly of?: TableName; readonly to?: TableName }

/**
 * @param followed tables of the target in the stream
 * @param counts true to count the rows, too; false for a stream that resumes, which does not wait for the count
 * @returns one warning, with a hint, per foreign key between a table that is followed and one that is not
 */
export async function keyWarnings(
  to: CopyStore,
  followed: readonly TableName[],
  counts: boolean,
  signal: AbortSignal,
): Promise<readonly { readonly message: string; readonly hint: string }[]> {
  const warnings: { readonly message: string; readonly hint: string }[] = []
  const end = performance.now() + PLAN_MS
  for (const one of await uncheckedKeys(to, followed, signal)) {
    if (one.of !== undefined && one.to !== undefined) continue
    const other = tableText(one.of === undefined ? one.key.table : one.parent)
    const effect =
      one.of === undefined
        ? `if a row is deleted, the rows that refer to it stay${notFiringText(one.key)}`
        : 'a row without a parent is stored'
    const leftMs = Math.max(0, end - performance.now())
    const count = counts ? `; ${countText(await orphansOf(to, one, leftMs, signal))}` : ''
    warnings.push({
      message: `${tableText(one.of ?? one.to ?? one.parent)}: ${keyText(one)} is not checked for changes, and ${other} is not followed: ${effect}${count}`,
      hint: `follow ${other} too, or drop the foreign key; sign-off counts its rows without a parent`,
    })
  }
  return warnings
}

/**
 * @param tables that are signed off
 * @param followed all tables of the target in the stream
 * @returns one check per table; none if the store cannot list foreign keys
 */
export async function keyChecks(
  to: CopyStore,
  tables: readonly TableName[],
  followed: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly SignOffCheck[]> {
  if (to.offers.referrers === undefined) return []
  const all = await uncheckedKeys(to, followed, signal)
  const checks: SignOffCheck[] = []
  for (const table of tables) {
    const head = { check: 'foreign keys', table: tableText(table) }
    const counted: { readonly one: UncheckedKey; readonly orphans: Orphans }[] = []
    for (const one of all)
      if (tableText(one.of ?? one.to ?? one.parent) === head.table)
        counted.push({ one, orphans: await orphansOf(to, one, SIGN_OFF_MS, signal) })
    if (counted.length === 0) {
      checks.push({ ...head, outcome: 'ok', found: 'it has none, and no table that is not followed refers to it' })
      continue
    }
    const found = counted.map(({ one, orphans }) => `${keyText(one)}: ${countText(orphans)}`).join('; ')
    const isLacking = counted.some(({ orphans }) => 'rows' in orphans && orphans.rows > 0n)
    const isUnknown = counted.some(({ orphans }) => 'unknown' in orphans)
    const notFiring = counted.map(({ one }) => notFiringText(one.key)).find((text) => text !== '') ?? ''
    const hint = `changes were applied without these foreign keys${notFiring}: remove the rows without a parent, or follow both tables; then sign off again`
    checks.push(
      isLacking
        ? { ...head, outcome: 'failed', found, hint }
        : { ...head, outcome: isUnknown ? 'not checked' : 'ok', found },
    )
  }
  return checks
}

/** @returns each key once, also if both of its tables are followed */
async function uncheckedKeys(
  to: CopyStore,
  followed: readonly TableName[],
  signal: AbortSignal,
): Promise<readonly UncheckedKey[]> {
  const store = to.offers.referrers
  if (store === undefined) return []
  const all = new Map<string, UncheckedKey>()
  for (const table of followed) {
    for (const { key, parent, leaves, arrives } of await onSide('target', () => store.keys(table, signal))) {
      const id = JSON.stringify([key.table, key.name, key.columns, parent, key.to])
      const sides = { ...(leaves ? { of: table } : {}), ...(arrives ? { to: table } : {}) }
      all.set(id, { ...all.get(id), key, parent, ...sides })
    }
  }
  return [...all.values()]
}

async function orphansOf(to: CopyStore, key: CountedKey, timeLimitMs: number, signal: AbortSignal): Promise<Orphans> {
  const store = timeLimitMs === 0 ? undefined : to.offers.referrers
  if (store === undefined) return { unknown: 'the time limit was used up by other keys' }
  return await onSide('target', () => store.orphans(key, timeLimitMs, signal))
}

function keyText({ key: { name, table, columns, onDelete }, parent }: CountedKey): string {
  const called = name === null ? 'a foreign key' : `foreign key ${name}`
  return `${called} of ${tableText(table)} (${columns.join(', ')}) to ${tableText(parent)}, ON DELETE ${onDelete}`
}

function notFiringText({ onDelete }: Referrer): string {
  return /^(?:CASCADE|SET)/i.test(onDelete) ? `, and ON DELETE ${onDelete} does not fire` : ''
}

function countText(orphans: Orphans): string {
  if ('unknown' in orphans) return `its rows without a parent are not counted: ${orphans.unknown}`
  return orphans.rows === 1n ? '1 of its rows has no parent' : `${orphans.rows} of its rows have no parent`
}
