/** The table that gets the public name gets exactly the triggers and rules of the public table. */
import { quoteName } from '../../server/connect.ts'
import { dropped, recreated, type CutoverTable, type CutoverTables, type CutoverStep } from './sides.ts'

type Code = {
  readonly kind: 'TRIGGER' | 'RULE'
  readonly name: string
  readonly definition: string
  /** Name of the table as the definition writes it. */
  readonly table: string
  /** pg_trigger.tgenabled: O, D, R, A. */
  readonly state: string
  readonly comment: string | null
  readonly rowTables: boolean
}

const STATES: Readonly<Record<string, string>> = {
  O: 'ENABLE',
  D: 'DISABLE',
  R: 'ENABLE REPLICA',
  A: 'ENABLE ALWAYS',
}

/** Steps for triggers and rules, if changes are still applied to the old table after the cutover. */
export async function ownCodeOf(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const old = await codeOf(sides, sides.from)
  return [...(await replaced(sides, old)), ...old.flatMap((one) => silenced(sides, one))]
}

/** As `ownCodeOf`, if no more changes are applied to the old table. */
export async function sameCode(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  return await replaced(sides, await codeOf(sides, sides.from))
}

async function replaced(sides: CutoverTables, old: readonly Code[]): Promise<readonly CutoverStep[]> {
  const fresh = await codeOf(sides, sides.to)
  const among = (some: readonly Code[], { kind, name }: Code): Code | undefined =>
    some.find((one) => one.kind === kind && one.name === name)
  return [
    ...old.flatMap((one) => made(sides, one, among(fresh, one) ?? null)),
    ...fresh.flatMap((one) => (among(old, one) === undefined ? [dropped(sides, one, one.definition)] : [])),
  ]
}

function made(sides: CutoverTables, one: Code, other: Code | null): readonly CutoverStep[] {
  const { to, public: name } = sides
  const step = { about: one.kind.toLowerCase(), object: one.name } as const
  const isSame = other !== null && withoutTable(one) === withoutTable(other)
  if (isSame && other.state === one.state) return []
  const fires = `ALTER TABLE ${name} ${STATES[one.state] ?? 'ENABLE'} ${one.kind} ${quoteName(one.name)}`
  if (isSame) return [{ ...step, verdict: 'made', detail: 'fires as on the public table', after: [fires] }]
  if (one.rowTables && to.isPartitioned) {
    return [
      {
        ...step,
        verdict: 'refused',
        detail: 'the server refuses row triggers with REFERENCING … TABLE on a partitioned table',
        hint: `DROP TRIGGER ${quoteName(one.name)}, and make it FOR EACH STATEMENT`,
      },
    ]
  }
  const make = [one.definition.replace(/;\s*$/, ''), ...(one.state === 'O' ? [] : [fires])]
  return [recreated(sides, one, make, other !== null)]
}

/** Disables triggers of the old table that fire for replicas: they would repeat what they did on the public table. */
function silenced({ oldTable }: CutoverTables, { kind, name, state }: Code): readonly CutoverStep[] {
  if (state !== 'A' && state !== 'R') return []
  return [
    {
      verdict: 'made',
      about: kind.toLowerCase(),
      object: name,
      detail: 'disabled on the old table: it fires for replicas, and would repeat its work on the public table',
      after: [`ALTER TABLE ${oldTable} DISABLE ${kind} ${quoteName(name)}`],
    },
  ]
}

/** Removes the table's name, which follows the first ON or TO outside of quotes. */
function withoutTable({ kind, definition, table }: Code): string {
  const word = `${kind === 'TRIGGER' ? ' ON ' : ' TO '}${table}`
  let quoted = false
  for (let at = 0; at < definition.length; at++) {
    if (definition[at] === '"') quoted = !quoted
    if (!quoted && definition.startsWith(word, at)) return definition.slice(0, at) + definition.slice(at + word.length)
  }
  return definition
}

/** Leaves out sluice's own triggers: triggers of streams refer to a table by OID; guards are removed separately. */
function codeOf(sides: CutoverTables, { oid }: CutoverTable): Promise<readonly Code[]> {
  return sides.session.objects<Code>(
    `SELECT pg_catalog.json_build_object('kind', 'TRIGGER', 'name', g.tgname, 'definition', pg_catalog.pg_get_triggerdef(g.oid), 'table', g.tgrelid::pg_catalog.regclass::text,
       'state', g.tgenabled, 'comment', pg_catalog.obj_description(g.oid, 'pg_trigger'), 'rowTables', g.tgtype & 1::int2 = 1 AND (g.tgoldtable IS NOT NULL OR g.tgnewtable IS NOT NULL))
     FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE g.tgrelid = ${oid}::oid AND NOT g.tgisinternal AND p.proname !~ '^sluice_'::text AND n.nspname !~ '^sluice_'::text
     UNION ALL SELECT pg_catalog.json_build_object('kind', 'RULE', 'name', r.rulename, 'definition', pg_catalog.pg_get_ruledef(r.oid), 'table', r.ev_class::pg_catalog.regclass::text,
       'state', r.ev_enabled, 'comment', pg_catalog.obj_description(r.oid, 'pg_rewrite'), 'rowTables', false)
     FROM pg_catalog.pg_rewrite r WHERE r.ev_class = ${oid}::oid`,
  )
}
