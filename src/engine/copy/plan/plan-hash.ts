/**
 * The part of a plan that must not change between two runs, and its hash in the ledger. The hash includes field names.
 * To rename a field or hash more, add new rules and keep the old ones, so that copies started under them are resumed.
 */
import { createHash } from 'node:crypto'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { columnCalled } from './column-plans.ts'

/** The hashed fields of a plan, by name, in the order of hashing. */
export type HashedFields = Readonly<Record<string, unknown>>
type Plan = Omit<TablePlan, 'hash'>
/** @param source `CopyStore.identity` */
export type HashRules = (source: string, plan: Plan) => HashedFields

const IDENTITY = 'table identity'

/**
 * Field for a table that is read without rows of inheriting tables. Older versions read these rows, so their copies are
 * not resumed. Other tables do not have this field.
 */
export const OWN_ROWS = 'rows'

/** Field for collections that are written with their own write times and TTLs. */
export const OWN_TIMES = 'collections with their own times'

/** Everything that decides the target's content, and nothing else: sizes, rates and workers may change between runs. */
const rulesOf1: HashRules = (source, plan) => ({
  source,
  table: tableText(plan.source.table),
  [IDENTITY]: plan.source.identity,
  columns: plan.columns.map(
    ({ from, to, as, codec }) =>
      `${from} -> ${to} as ${JSON.stringify(as)}${codec === undefined ? '' : ` by ${JSON.stringify(codec)}`}`,
  ),
  key: plan.source.key,
  where: plan.where ?? null,
  'on-existing': plan.onExisting,
  ...(plan.source.withoutHeirs === true
    ? { [OWN_ROWS]: 'its own, without those of the tables that inherit from it' }
    : {}),
  // Distinguishes chunks proved by an older version from chunks in which these columns were compared.
  ...(plan.newlyChecked === undefined ? {} : { 'generated columns that are compared': plan.newlyChecked }),
  // Distinguishes collections that an older version wrote with the write time of their row from those written now.
  ...(plan.ownTimes === undefined ? {} : { [OWN_TIMES]: plan.ownTimes }),
})

/** Rules by version, from 1; new plans use the last ones. */
const RULES: readonly HashRules[] = [rulesOf1]

/** Digest with its version as a prefix. Version 1 is the digest alone, because older hashes have no version. */
function versioned(version: number, essence: HashedFields): string {
  return version === 1 ? hashOfFields(essence) : `${version}:${hashOfFields(essence)}`
}

/** Version of the rules of a hash. */
export function hashVersion(hash: string): number {
  return Number(/^(\d+):/.exec(hash)?.[1] ?? 1)
}

export function planHash(source: string, plan: Plan, rules: readonly HashRules[] = RULES): string {
  const newest = rules.at(-1)
  if (newest === undefined) throw new Error('plans are hashed by some rules')
  return versioned(rules.length, newest(source, plan))
}

/** The hashed fields of a plan under the rules of a stored hash; null if a newer version made it. */
export function hashedFieldsUnder(hash: string, source: string, plan: Plan, rules = RULES): HashedFields | null {
  return rules[hashVersion(hash) - 1]?.(source, plan) ?? null
}

/** True if a stored hash, of any version, is this plan's. */
export function isHashOf(hash: string, source: string, plan: Plan, rules = RULES): boolean {
  // A copy started without inherited rows is resumed without them, even if the inheriting tables have changed.
  const alone: Plan = { ...plan, source: { ...plan.source, withoutHeirs: true } }
  return [plan, alone].some((one) => {
    const essence = hashedFieldsUnder(hash, source, one, rules)
    return essence !== null && versioned(hashVersion(hash), essence) === hash
  })
}

/** True if a stored plan was for another table of the same source and name. @param stored as in `PlanRow` */
export function isOfOtherTable(stored: string, source: string, { source: table }: Plan): boolean {
  const then = JSON.parse(stored) as HashedFields | null
  const isNamed = then?.['source'] === source && then['table'] === tableText(table.table)
  return isNamed && typeof then[IDENTITY] === 'string' && then[IDENTITY] !== table.identity
}

/**
 * Columns that a stored plan copied into another column than the one of their name, by the source's name.
 * @param stored as in `PlanRow`
 */
export function renamedColumns(stored: string, source: TableSpec, target: TableSpec): ReadonlyMap<string, string> {
  const { columns = [] } = JSON.parse(stored) as { readonly columns?: readonly string[] }
  const renamed = new Map<string, string>()
  for (const { name } of source.columns) {
    const start = `${name} -> `
    const rest = columns.find((one) => one.startsWith(start))?.slice(start.length)
    const to = target.columns.find((one) => rest?.startsWith(`${one.name} as {`) === true)
    if (to !== undefined && columnCalled(name, target) !== to) renamed.set(name, to.name)
  }
  return renamed
}

export function hashOfFields(essence: unknown): string {
  return createHash('sha256').update(JSON.stringify(essence)).digest('hex').slice(0, 16)
}

/**
 * First difference of a stored plan and today's plan, as text.
 * @param today hashed fields of today's plan under the stored plan's rules, see `hashedFieldsUnder`
 */
export function planDifference(stored: string, today: HashedFields | null): string {
  if (today === null) return 'a newer sluice made that plan'
  const before = JSON.parse(stored) as HashedFields
  // Compare the identity last: in some systems it changes with the columns, whose difference is the more useful
  // message.
  const { [IDENTITY]: identity, ...rest } = today
  for (const [name, now] of [...Object.entries(rest), [IDENTITY, identity] as const]) {
    const then = before[name]
    if (JSON.stringify(then) === JSON.stringify(now)) continue
    if (Array.isArray(then) && Array.isArray(now)) {
      const gone = then.filter((one) => !now.includes(one)).map(String)
      const added = now.filter((one) => !then.includes(one)).map(String)
      return `${name}: ${[...gone.map((one) => `was ${one}`), ...added.map((one) => `is ${one}`)].join('; ') || 'another order'}`
    }
    return `${name}: was ${shown(then)}, is ${shown(now)}`
  }
  return 'the plan has another format'
}

function shown(value: unknown): string {
  return value == null ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value)
}
