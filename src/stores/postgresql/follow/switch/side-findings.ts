/**
 * Differences between the source table, which the cutover closes to writes, and the target table, which it opens.
 * Creates nothing: an object may be missing in the target on purpose.
 */
import type { SwitchFinding } from '../../../../model/follow/switch-port.ts'
import { quoteName } from '../../server/connect.ts'
import { ALWAYS } from './side-facts.ts'
import { indexText, makeUnique, refusesAll, refuseSame, type UniqueKey } from './unique-index.ts'
import { sequenceFindings, userFindings, type UserFact } from './side-users.ts'
import type { ColumnFact, CutoverTableFacts, IndexFact, NamedFact, PolicyFact } from './side-facts.ts'

const KEPT_APART = 'rows that this one refuses would no longer be refused'
const REFUSES_MORE = 'only the target has it, and it would refuse rows that the source accepts'
const SORTED_APART = 'ORDER BY, comparisons with < and >, and text ranges give other results after the cutover'
const DEFAULT_COLLATION = 'pg_catalog."default"'
const DATA = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']

/** Facts that only the target database has. */
export type TargetRights = {
  /** Roles of the source table that also exist in the target database. */
  readonly roles: ReadonlySet<string>
  /** Tables that foreign keys of the source refer to and that exist in the target database. */
  readonly tables: ReadonlySet<string>
  /** The target table's schema in SQL. */
  readonly schema: string
  /** The users of the source table that exist in the target database. */
  readonly users: readonly UserFact[]
  /** True if a role of the source has this right on the target table, directly or through other roles. */
  readonly may: (role: string, right: string) => boolean
}

/** @param sql name of the target table, for messages and statements */
export function sideFindings(
  from: CutoverTableFacts,
  to: CutoverTableFacts,
  sql: string,
  around: TargetRights,
): readonly SwitchFinding[] {
  return [
    ...placeFindings(from, to, sql),
    ...columnFindings(from, to, sql),
    ...sequenceFindings(from, to),
    ...indexFindings(from, to, sql),
    ...constraintFindings(from, to, sql, around),
    ...rightFindings(from, to, sql, around),
    ...boundFindings(from, to),
  ]
}

function refused(about: string, object: string, detail: string, hint: string): SwitchFinding {
  return { verdict: 'refused', about, object, detail, hint }
}

function left(about: string, object: string, detail: string, hint?: string): SwitchFinding {
  return { verdict: 'left', about, object, detail, ...(hint === undefined ? {} : { hint }) }
}

function placeFindings(from: CutoverTableFacts, to: CutoverTableFacts, sql: string): readonly SwitchFinding[] {
  const found: SwitchFinding[] = []
  if (from.encoding !== to.encoding) {
    const detail = `the source database is in ${from.encoding}, the target database in ${to.encoding}: rows cannot be compared by their text`
    found.push(refused('encoding', to.encoding, detail, 'copy into a database of the same encoding'))
  }
  if (from.sorting !== to.sorting && from.columns.some(({ collation }) => collation === DEFAULT_COLLATION)) {
    const detail = `it is the default collation of the target database, and ${from.sorting} that of the source: ${SORTED_APART}`
    found.push(left('collation', to.sorting, detail))
  }
  for (const [side, facts] of [
    ['source', from],
    ['target', to],
  ] as const) {
    const table = `the ${side} table`
    if (!facts.owned) {
      const detail = `it belongs to ${facts.owner}, and ${facts.me} is not a member of that role: sluice cannot block its writers`
      found.push(refused('owner', table, detail, `GRANT ${quoteName(facts.owner)} TO ${quoteName(facts.me)}`))
    } else if (!facts.mayCreate) {
      const detail = `${facts.me} may not create the function that blocks its writers in its schema`
      found.push(refused('schema', table, detail, `GRANT CREATE ON SCHEMA … TO ${quoteName(facts.me)}`))
    }
    if (facts.isPartition)
      found.push(refused('partition', table, 'it is a partition of another table', 'cut over that table'))
    if (facts.heirs > 0)
      found.push(refused('inheritance', table, 'other tables inherit from it', 'move their rows into the table'))
    if (facts.subscriptions > 0) {
      const detail = 'a subscription writes to it or to a partition of it, and triggers cannot prevent that'
      found.push(refused('subscription', table, detail, 'ALTER SUBSCRIPTION … DISABLE and drop it before'))
    }
  }
  if (!to.analyzed) found.push(left('statistics', sql, 'the planner has no statistics of it', `ANALYZE ${sql}`))
  return found
}

function columnFindings(from: CutoverTableFacts, to: CutoverTableFacts, sql: string): readonly SwitchFinding[] {
  const names = (columns: readonly ColumnFact[]): string => columns.map(({ name }) => quoteName(name)).join(', ')
  if (names(from.columns) !== names(to.columns)) {
    const detail = `the source table has (${names(from.columns)}), the target table has (${names(to.columns)})`
    return [
      refused(
        'columns',
        sql,
        detail,
        'give both the same columns in the same order, because a statement may omit their names',
      ),
    ]
  }
  return from.columns.flatMap((one, at) => {
    const other = to.columns[at] ?? one
    return [...columnFinding(one, other, sql), ...collationFinding(one, other, sql)]
  })
}

function collationFinding(one: ColumnFact, other: ColumnFact, sql: string): readonly SwitchFinding[] {
  if (one.type !== other.type || one.collation === other.collation || one.collation === null) return []
  const detail = `its collation is ${one.collation} in the source, and ${other.collation ?? 'none'} in the target`
  if (one.exact === other.exact) return [left('column', one.name, `${detail}: ${SORTED_APART}`)]
  const hint = `ALTER TABLE ${sql} ALTER COLUMN ${quoteName(one.name)} TYPE ${one.type} COLLATE ${one.collation}`
  return [refused('column', one.name, `${detail}, and one of them takes different texts as equal`, hint)]
}

function columnFinding(one: ColumnFact, other: ColumnFact, sql: string): readonly SwitchFinding[] {
  const alter = `ALTER TABLE ${sql} ALTER COLUMN ${quoteName(one.name)}`
  const refuse = (here: string, there: string, hint: string): readonly SwitchFinding[] => [
    refused('column', one.name, `it is ${here} in the source, and ${there} in the target`, hint),
  ]
  if (one.type !== other.type) return refuse(one.type, other.type, `${alter} TYPE ${one.type}`)
  if (one.allowed !== other.allowed) {
    const shown = ({ type, allowed }: ColumnFact): string => `${type}${allowed === null ? '' : ` (${allowed})`}`
    return refuse(shown(one), shown(other), 'give both types the same values and constraints')
  }
  if (one.kind !== other.kind) {
    const word = (kind: string): string => (kind === 'numbers' ? 'numbered by a sequence' : kind || 'a plain column')
    const isBoth = one.kind === 'numbers' && other.kind === ALWAYS
    return refuse(
      word(one.kind),
      word(other.kind),
      isBoth ? `${alter} SET GENERATED BY DEFAULT` : `make it equal on ${sql}`,
    )
  }
  if (one.default !== other.default) {
    const now = one.default === null ? 'DROP DEFAULT' : `SET DEFAULT ${one.default}`
    return refuse(`DEFAULT ${one.default ?? 'none'}`, `DEFAULT ${other.default ?? 'none'}`, `${alter} ${now}`)
  }
  if (one.notNull && !other.notNull) return refuse('NOT NULL', 'not', `${alter} SET NOT NULL`)
  if (one.notNull || !other.notNull) return []
  if (!other.inKey) return refuse('not NOT NULL', 'NOT NULL', `${alter} DROP NOT NULL`)
  return [
    left(
      'column',
      one.name,
      'it is in the primary key of the target: rows without a value are refused after the cutover',
    ),
  ]
}

function indexFindings(from: CutoverTableFacts, to: CutoverTableFacts, sql: string): readonly SwitchFinding[] {
  const only = (some: readonly IndexFact[], others: readonly IndexFact[]): readonly IndexFact[] =>
    some.filter(({ what, key }) => !others.some((other) => other.what === what && refuseSame(other.key, key)))
  return [
    ...only(from.indexes, to.indexes).map((one) => indexFinding(one, to, sql)),
    ...only(to.indexes, from.indexes).flatMap((one) => surplusFinding(one, from)),
  ]
}

/** Finding about an index that only the target has; none if the index refuses no further row. */
function surplusFinding(one: IndexFact, from: CutoverTableFacts): readonly SwitchFinding[] {
  const { name, key, exclusion } = one
  if (key === null && !exclusion) return []
  const about = exclusion ? 'exclusion' : 'unique index'
  if (key !== null && refusing(from, key, []) !== undefined) return []
  // In a cutover back, the source is the partitioned table: it enforces uniqueness within each partition only.
  if (key !== null && refusing(from, key, from.by) !== undefined)
    return [left(about, name, `that of the source has more columns: ${indexText(one)}`)]
  return [refused(about, name, `${REFUSES_MORE}: ${indexText(one)}`, 'drop it from the target')]
}

function indexFinding(one: IndexFact, to: CutoverTableFacts, sql: string): SwitchFinding {
  const { name, what, key, exclusion } = one
  if (exclusion) {
    const make = `create it on ${sql}, or drop it: ${what}`
    return refused('exclusion', name, `the target has no such constraint: ${KEPT_APART}`, make)
  }
  if (key === null) return left('index', name, `the target has no such index: ${what}`)
  const equal = refusing(to, key, [])
  if (equal !== undefined) return left('unique index', name, `that of the target is different: ${indexText(equal)}`)
  const wider = refusing(to, key, to.by)
  if (wider !== undefined) return left('unique index', name, `that of the target has more columns: ${indexText(wider)}`)
  const make = `${makeUnique(sql, { name, what, key }, to.by)}; or drop it`
  return refused('unique index', name, `the target has no such index: ${KEPT_APART}`, make)
}

/** Finds an index of `table` that refuses each row that `key` refuses. The columns `but` are ignored. */
function refusing(table: CutoverTableFacts, key: UniqueKey, but: readonly string[]): IndexFact | undefined {
  return table.indexes.find((other) => other.key !== null && refusesAll(other.key, key, but))
}

function constraintFindings(
  from: CutoverTableFacts,
  to: CutoverTableFacts,
  sql: string,
  { tables }: TargetRights,
): readonly SwitchFinding[] {
  const add = ({ name, definition }: NamedFact): string =>
    `ALTER TABLE ${sql} ADD CONSTRAINT ${quoteName(name)} ${definition}`
  return [
    ...lacking(from.checks, to.checks).map((one) =>
      refused('check', one.name, `the target does not have it: ${one.definition}`, add(one)),
    ),
    ...lacking(to.checks, from.checks).map((one) =>
      refused(
        'check',
        one.name,
        `${REFUSES_MORE}: ${one.definition}`,
        `ALTER TABLE ${sql} DROP CONSTRAINT ${quoteName(one.name)}`,
      ),
    ),
    ...lacking(from.references, to.references).map((one) =>
      tables.has(one.to)
        ? refused('foreign key from it', one.name, `the target does not have it: ${one.definition}`, add(one))
        : left(
            'foreign key from it',
            one.name,
            `the target database has no ${one.to}: new rows are not checked by this key after the cutover, and a reverse stream is refused while ${one.name} exists`,
          ),
    ),
    ...lacking(to.references, from.references).map((one) =>
      refused(
        'foreign key from it',
        one.name,
        `${REFUSES_MORE}: ${one.definition}; add it NOT VALID after the cutover to check new rows again`,
        `ALTER TABLE ${sql} DROP CONSTRAINT ${quoteName(one.name)}`,
      ),
    ),
    ...from.referencedBy.map((one) =>
      left(
        'foreign key to it',
        one.name,
        'it stays in the source database: its cascades to the closed table are refused',
      ),
    ),
  ]
}

function rightFindings(
  from: CutoverTableFacts,
  to: CutoverTableFacts,
  sql: string,
  { roles, may, schema, users }: TargetRights,
): readonly SwitchFinding[] {
  const found: SwitchFinding[] = []
  const all = [...from.grants, { role: from.owner, rights: DATA }]
  for (const { role, rights } of all) {
    if (role !== 'PUBLIC' && !roles.has(role)) {
      found.push(
        left('role', role, 'the target database has no such role: programs that write as it cannot connect there'),
      )
      continue
    }
    const missing = rights.filter((right) => DATA.includes(wordOf(right)) && !may(role, right))
    if (missing.length === 0) continue
    const who = role === 'PUBLIC' ? role : quoteName(role)
    const grant = `GRANT ${missing.join(', ')} ON ${sql} TO ${who}`
    found.push(refused('grant', `${missing.join(', ')} to ${role}`, 'the target does not grant it', grant))
  }
  return [
    ...found,
    ...userFindings(from.users, users, schema),
    ...surplusGrants(from, to, sql),
    ...policyFindings(from, to, sql, roles),
  ]
}

/** Rights that only the target grants. Rights of the source's owner are left out: it has all rights at the source. */
function surplusGrants(from: CutoverTableFacts, to: CutoverTableFacts, sql: string): readonly SwitchFinding[] {
  const had = from.grants.flatMap(({ role, rights }) => rights.map((right) => `${right} ${role}`))
  const hadIt = (role: string, right: string): boolean =>
    [role, 'PUBLIC'].some((one) => had.includes(`${right} ${one}`) || had.includes(`${wordOf(right)} ${one}`))
  return to.grants.flatMap(({ role, rights }) => {
    const surplus = rights.filter((right) => DATA.includes(wordOf(right)) && !hadIt(role, right)).join(', ')
    if (role === from.owner || surplus === '') return []
    const who = role === 'PUBLIC' ? role : quoteName(role)
    return [
      left('grant', `${surplus} to ${role}`, 'only the target grants it', `REVOKE ${surplus} ON ${sql} FROM ${who}`),
    ]
  })
}

/** The right without its column. */
function wordOf(right: string): string {
  return right.replace(/ .*/s, '')
}

/** Row security and policies, which decide the rows that each role can read and write. */
function policyFindings(
  from: CutoverTableFacts,
  to: CutoverTableFacts,
  sql: string,
  roles: ReadonlySet<string>,
): readonly SwitchFinding[] {
  const switches = [
    ['row security', 'ENABLE', from.security, to.security],
    ['row security for the owner', 'FORCE', from.security && from.forced, to.security && to.forced],
  ] as const
  const found = switches.flatMap(([about, word, old, now]) =>
    old && !now
      ? [
          refused(
            about,
            sql,
            'it is on for the source, and off for the target',
            `ALTER TABLE ${sql} ${word} ROW LEVEL SECURITY`,
          ),
        ]
      : !old && now
        ? [left(about, sql, 'it is on for the target, and off for the source')]
        : [],
  )
  const policy = (name: string, detail: string, hint: string): SwitchFinding =>
    from.security ? refused('policy', name, detail, hint) : left('policy', name, detail)
  // Programs cannot connect as a role that the target lacks.
  const there = (one: PolicyFact): PolicyFact => ({ ...one, roles: one.roles.filter((role) => roles.has(role)) })
  const some = from.policies.map(there)
  const isIn = (one: PolicyFact, others: readonly PolicyFact[]): boolean =>
    others.some(({ rule, roles: named }) => rule === one.rule && named.join() === one.roles.join())
  return [
    ...found,
    ...some.flatMap((one) => {
      const { name, definition } = one
      if (one.roles.length === 0)
        return [left('policy', name, `the target database has none of its roles: ${definition}`)]
      if (isIn(one, to.policies)) return []
      return [
        policy(name, `the target does not have it: ${definition}`, `create it on ${sql}, or drop it in the source`),
      ]
    }),
    ...to.policies
      .filter((one) => !isIn(one, some))
      .map(({ name, definition }) =>
        policy(
          name,
          `only the target has it: ${definition}`,
          `DROP POLICY ${quoteName(name)} ON ${sql}, or create it in the source`,
        ),
      ),
  ]
}

/** The facts of `some` with a definition that does not occur in `others`. */
function lacking<T extends NamedFact>(some: readonly T[], others: readonly NamedFact[]): readonly T[] {
  return some.filter(({ definition }) => !others.some((other) => other.definition === definition))
}

function boundFindings(from: CutoverTableFacts, to: CutoverTableFacts): readonly SwitchFinding[] {
  const unnamed = (some: readonly NamedFact[], others: readonly NamedFact[]): readonly NamedFact[] =>
    some.filter(({ name }) => !others.some((other) => other.name === name))
  const missing = (some: readonly string[], others: readonly string[]): readonly string[] =>
    some.filter((one) => !others.includes(one))
  const found = [
    ...unnamed(from.triggers, to.triggers).map(({ name, definition }) =>
      left('trigger', name, `the target does not have it: ${definition}`),
    ),
    ...unnamed(to.triggers, from.triggers).map(({ name, definition }) =>
      left('trigger', name, `only the target has it: ${definition}`),
    ),
    ...unnamed(from.rules, to.rules).map(({ name, definition }) =>
      left('rule', name, `the target does not have it: ${definition}`),
    ),
    ...missing(from.dependents, to.dependents).map((name) =>
      left('what depends on it', name, 'the target does not have it'),
    ),
    ...missing(from.publications, to.publications).map((name) =>
      left('publication', name, 'its subscribers get no more changes: the target has no publication of that name'),
    ),
    ...missing(from.extensions, to.extensions).map((name) =>
      left('extension', name, 'the target database does not have it'),
    ),
  ]
  return from.comment && !to.comment
    ? [...found, left('comment', 'comment', 'the target table and its columns have no comments')]
    : found
}
