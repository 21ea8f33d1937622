/**
 * Hashes of plans: version 1 does not change, and the hash of an older version is compared by the rules of that
 * version.
 */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  hashedFieldsUnder,
  hashVersion,
  isHashOf,
  planDifference,
  planHash,
  type HashRules,
} from '../../src/engine/copy/plan/plan-hash.ts'
import type { Column } from '../../src/model/copy/column-type.ts'
import type { TablePlan } from '../../src/model/copy/plan.ts'

const id: Column = { name: 'id', type: { kind: 'int', bits: 64 }, native: 'bigint', nullable: false }
const price: Column = {
  name: 'price',
  type: { kind: 'decimal', precision: 12, scale: 2 },
  native: 'numeric(12,2)',
  nullable: true,
}
const source = {
  table: { schema: 'public', name: 'orders' },
  identity: '16412',
  columns: [id, price],
  key: ['id'],
  primary: true,
  rows: 5n,
  bytes: 100n,
}
const plan: Omit<TablePlan, 'hash'> = {
  source,
  target: { ...source, table: { name: 'orders' }, identity: '' },
  create: true,
  columns: [
    { from: 'id', to: 'id', source: id, target: id, as: id.type },
    { from: 'price', to: 'cost', source: price, target: price, as: price.type },
  ],
  where: 'id > 5',
  onExisting: 'append',
  proof: 'canonical',
  rangeKey: ['id'],
  sortsAlike: true,
  cut: 'key',
  chunkRows: 1000,
}

/** Exact text in ledgers: a change of a name in it requires a new version. */
const TEXT_OF_1 =
  '{"source":"7261","table":"public.orders","table identity":"16412",' +
  '"columns":["id -> id as {\\"kind\\":\\"int\\",\\"bits\\":64}","price -> cost as {\\"kind\\":\\"decimal\\",\\"precision\\":12,\\"scale\\":2}"],' +
  '"key":["id"],"where":"id > 5","on-existing":"append"}'
const HASH_OF_1 = createHash('sha256').update(TEXT_OF_1).digest('hex').slice(0, 16)

const first: HashRules = (identity, of) => {
  const essence = hashedFieldsUnder(HASH_OF_1, identity, of)
  if (essence === null) throw new Error('version 1 has rules')
  return essence
}
/** The rules of a later version that renames a field. */
const second: HashRules = (identity, of) => {
  const { 'on-existing': existing, ...rest } = first(identity, of)
  return { ...rest, existing }
}

test('a hash without a version has version 1, whose text does not change', () => {
  expect(hashVersion(HASH_OF_1)).toBe(1)
  expect(JSON.stringify(hashedFieldsUnder(HASH_OF_1, '7261', plan))).toBe(TEXT_OF_1)
  expect(isHashOf(HASH_OF_1, '7261', plan)).toBe(true)
  expect(isHashOf(HASH_OF_1, '7262', plan)).toBe(false)
  expect(planHash('7261', plan, [first])).toBe(HASH_OF_1)
})

test('new plans have the newest version, and older hashes are compared by their own rules', () => {
  const rules = [first, second]
  const hash = planHash('7261', plan, rules)
  expect(hash).toMatch(/^2:[\da-f]{16}$/)
  for (const known of [HASH_OF_1, hash]) {
    expect(isHashOf(known, '7261', plan, rules)).toBe(true)
    expect(isHashOf(known, '7261', { ...plan, onExisting: 'upsert' }, rules)).toBe(false)
  }
  expect(
    planDifference(TEXT_OF_1, hashedFieldsUnder(HASH_OF_1, '7261', { ...plan, onExisting: 'upsert' }, rules)),
  ).toBe('on-existing: was append, is upsert')
})

test('the hash of a newer version matches no plan', () => {
  const newer = `9:${HASH_OF_1}`
  expect(isHashOf(newer, '7261', plan)).toBe(false)
  expect(planDifference('{}', hashedFieldsUnder(newer, '7261', plan))).toBe('a newer sluice made that plan')
})

test('a plan without rows of child tables has another hash, and does not match a hash with them', () => {
  const alone = { ...plan, source: { ...source, withoutHeirs: true as const } }
  const hash = planHash('7261', alone)
  expect(hash).not.toBe(HASH_OF_1)
  expect(planHash('7261', plan)).toBe(HASH_OF_1)
  expect([isHashOf(hash, '7261', alone), isHashOf(hash, '7261', plan)]).toEqual([true, true])
  expect(isHashOf(HASH_OF_1, '7261', alone)).toBe(false)
  expect(planDifference(TEXT_OF_1, hashedFieldsUnder(HASH_OF_1, '7261', alone))).toBe(
    'rows: was nothing, is its own, without those of the tables that inherit from it',
  )
})

test('ownTimes is part of the hash, so an older plan does not match', () => {
  const timed = { ...plan, ownTimes: ['price'] }
  expect(planHash('7261', timed)).not.toBe(HASH_OF_1)
  expect([isHashOf(HASH_OF_1, '7261', timed), isHashOf(HASH_OF_1, '7261', plan)]).toEqual([false, true])
})
