/**
 * What of a plan may not change between two runs, and the hash by which a ledger knows it. The hash is over the names of fields too: whoever renames one,
 * or hashes more, adds rules, and leaves those of before as they are, so that copies which were begun under them go on.
 */
import { createHash } from 'node:crypto'
import { tableText } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'

/** Decisions by name, in the order in which they are hashed. */
export type Essence = Readonly<Record<string, unknown>>
type Plan = Omit<TablePlan, 'hash'>
/** @param source `CopyStore.identity` */
export type HashRules = (source: string, plan: Plan) => Essence

const IDENTITY = 'table identity'

/** Of a table that is read without rows which older programs read with it: what they began does not go on, and all other tables have no such field. */
export const OWN_ROWS = 'rows'

/** Collections that are written with their own write time and TTL. */
export const OWN_TIMES = 'collections with their own times'

/** What decides what ends up in the target, and nothing else: sizes, rates and workers may change between two runs. */
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
  // Chunks that an older program proved are not mixed with those in which these columns were compared.
  ...(plan.newlyChecked === undefined ? {} : { 'generated columns that are compared': plan.newlyChecked }),
  // The same for collections that an older program wrote with the write time of their row.
  ...(plan.ownTimes === undefined ? {} : { [OWN_TIMES]: plan.ownTimes }),
})

/** In the order of their versions, from 1; plans of today are hashed by the last one. */
const RULES: readonly HashRules[] = [rulesOf1]

/** Of version 1 the digest alone, as ledgers had it before hashes had versions; later ones have their version before it. */
function versioned(version: number, essence: Essence): string {
  return version === 1 ? hashOf(essence) : `${version}:${hashOf(essence)}`
}

/** By which rules a hash was made. */
export function hashVersion(hash: string): number {
  return Number(/^(\d+):/.exec(hash)?.[1] ?? 1)
}

export function planHash(source: string, plan: Plan, rules: readonly HashRules[] = RULES): string {
  const newest = rules.at(-1)
  if (newest === undefined) throw new Error('plans are hashed by some rules')
  return versioned(rules.length, newest(source, plan))
}

/** What a hash of a ledger would be of, under the rules that it was made by; null where a newer program made it. */
export function essenceUnder(hash: string, source: string, plan: Plan, rules = RULES): Essence | null {
  return rules[hashVersion(hash) - 1]?.(source, plan) ?? null
}

/** Whether a hash of a ledger, of whatever version, is this plan's. */
export function isHashOf(hash: string, source: string, plan: Plan, rules = RULES): boolean {
  // What was begun without rows of others goes on so, whatever became of those tables since.
  const alone: Plan = { ...plan, source: { ...plan.source, withoutHeirs: true } }
  return [plan, alone].some((one) => {
    const essence = essenceUnder(hash, source, one, rules)
    return essence !== null && versioned(hashVersion(hash), essence) === hash
  })
}

/** Whether a stored plan was of the same name in the same source, and of another table. @param stored as `PlanRow` has it */
export function isOfOtherTable(stored: string, source: string, { source: table }: Plan): boolean {
  const then = JSON.parse(stored) as Essence | null
  const isNamed = then?.['source'] === source && then['table'] === tableText(table.table)
  return isNamed && typeof then[IDENTITY] === 'string' && then[IDENTITY] !== table.identity
}

export function hashOf(essence: unknown): string {
  return createHash('sha256').update(JSON.stringify(essence)).digest('hex').slice(0, 16)
}

/**
 * The first thing in which a stored plan and today's differ, in words.
 * @param today by the rules of the stored one, see `essenceUnder`
 */
export function planDifference(stored: string, today: Essence | null): string {
  if (today === null) return 'a newer sluice made that plan'
  const before = JSON.parse(stored) as Essence
  // What a table is told from others by changes with its columns in some systems, and says less than they do.
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
  return 'the plan is of another form'
}

function shown(value: unknown): string {
  return value == null ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value)
}
