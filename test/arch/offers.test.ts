/**
 * The table in docs/reference/DATABASES.md is generated from the declarations of systems; `-u` writes it. The compiler
 * checks that stores implement them.
 */
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { Capability } from '../../src/model/copy/offers.ts'
import type { SystemDeclaration } from '../../src/stores/declaration.ts'
import { SYSTEMS } from '../../src/stores/systems.ts'
import { ROOT } from './source-files.ts'

const PAGE = path.join(ROOT, 'docs/reference/DATABASES.md')

/** Descriptions for users, in the order of the table. */
const MEANS: Readonly<Record<Capability, string>> = {
  tableOptions: 'options of tables, such as compaction, come along',
  sharedViews: 'other machines read the same moment',
  durability: 'says when its commits are on the disk',
  losable: 'names tables that a crash may empty',
  otherLedgers: 'ledgers in several schemas of one database',
  tracks: 'tables of the Cassandra Data Migrator',
  ring: 'rows by token range',
  identification: 'is distinguished from a copy of it',
  identities: 'a table is known after a rename',
  columnFacts: 'comments of columns come along',
  times: 'conditions by time',
  timeExtents: 'oldest and newest time of a table',
  spellings: 'finds keys in other spellings',
  rowValues: 'conditions by value: `erase`, `--by-value`',
  periods: 'rows of periods are counted or estimated',
  referrers: 'foreign keys that lead to a table',
  rowTriggers: 'triggers that fire for archived rows',
  removals: 'says before an archive runs that rows cannot be removed',
  unchecked: 'constraints that archived rows may violate',
  partitions: 'partitions leave a table and come back',
  maintenance: 'partitions are made ahead',
  partitionPlan: '`partition plan`, and a new table',
  inPlace: '`partition in-place`',
  decommission: '`partition decommission`',
  slotChanges: 'source of a stream, by its log',
  triggerChanges: 'source of a stream, by triggers',
  changeTarget: 'target of a stream',
  switches: '`cutover` in one database',
  switchSide: '`cutover` between two databases',
  operational: 'sign-off tries what users do',
}

const capabilities = Object.keys(MEANS) as readonly Capability[]

function tableOf(systems: readonly SystemDeclaration[]): string {
  const cell = (is: boolean): string => (is ? 'yes' : '')
  const rows = [
    ['', ...systems.map(({ title }) => title)],
    ['holds a catalog', ...systems.map(({ catalog }) => cell(catalog !== undefined))],
    ['holds the queue of shared runs', ...systems.map(({ queue }) => cell(queue !== undefined))],
    ['what it takes at once, or not at all', ...systems.map(({ copies }) => copies?.atomic ?? '')],
    ...capabilities.map((one) => [
      MEANS[one],
      ...systems.map(({ copies }) => cell(copies?.offers.includes(one) === true)),
    ]),
  ]
  const widths = systems.reduce<number[]>(
    (all, _, at) => [...all, Math.max(...rows.map((row) => row[at + 1]?.length ?? 0))],
    [Math.max(...rows.map(([first = '']) => first.length))],
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, at) => text.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = rows
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}

test('the table in DATABASES.md has the capabilities of all systems', async () => {
  const page = fs.readFileSync(PAGE, 'utf8')
  const made = page.replace(
    /(\n## What a system offers\n[^|]*)(?:\|.*\n)+/,
    (_, before) => `${before}${tableOf(SYSTEMS)}\n`,
  )
  expect(made).toContain(tableOf(SYSTEMS))
  await expect(made).toMatchFileSnapshot(PAGE)
})

test('no system declares a capability twice, and each capability is declared by some system', () => {
  const lists = SYSTEMS.flatMap(({ copies }) => (copies === undefined ? [] : [copies.offers]))
  expect(lists.filter((list) => new Set(list).size < list.length)).toEqual([])
  expect(capabilities.filter((one) => !lists.some((list) => list.includes(one)))).toEqual([])
})
