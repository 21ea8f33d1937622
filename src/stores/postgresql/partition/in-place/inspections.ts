/** Findings about a table that becomes a partition, before any change, and about its dependencies at the cutover. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { literal } from '../../server/sql.ts'
import type { About } from '../plan/about.ts'
import { planKeyFindings } from '../plan/keys.ts'
import { planRightFindings } from '../plan/rights.ts'
import { planShapeFindings, type PlannedTableShape } from '../plan/shape.ts'
import { unidentifiedFindings } from '../plan/streams.ts'
import { wantedIndexes } from './indexes.ts'
import { cutoverHolderFindings } from '../../follow/switch/holders.ts'
import { inspections } from '../../follow/switch/inspections.ts'
import { sameCode } from '../../follow/switch/own-code.ts'
import type { CutoverTables, CutoverStep } from '../../follow/switch/sides.ts'

const INSPECTIONS = inspections(sameCode)

/**
 * Steps that move dependencies of the old table to the new one.
 * @param reported true: also returns findings that change nothing
 */
export async function takeoverSteps(sides: CutoverTables, reported: boolean): Promise<readonly CutoverStep[]> {
  const steps: CutoverStep[] = []
  for (const inspect of [...INSPECTIONS, ...(reported ? [cutoverHolderFindings] : [])])
    steps.push(...(await inspect(sides)))
  return steps.filter((step) => !isOfCopies(step))
}

/**
 * True for findings that apply only if the new table is a copy. These are left out, because here the old table becomes
 * a partition of the new table.
 */
function isOfCopies({ about, verdict }: CutoverStep): boolean {
  if (verdict === 'refused') return about === 'role' || about === 'row security'
  return verdict === 'left' && (about === 'publication' || about === 'foreign key from it')
}

/** Converts a step to a finding of `partition plan`. */
export function planFinding({ verdict, about, object, detail, hint }: CutoverStep): PlanFinding {
  return {
    verdict: verdict === 'left' ? 'changes' : verdict,
    about,
    ...(object === undefined ? {} : { object }),
    detail,
    ...(hint === undefined ? {} : { hint }),
  }
}

/** Findings that do not need the new table. */
export async function beforeFindings(about: About): Promise<readonly PlanFinding[]> {
  const rights = (await planRightFindings(about)).filter(({ verdict }) => verdict !== 'made')
  return [
    ...(await planShapeFindings(about, withoutTime)),
    // Existing indexes are kept, so findings `made` about them are left out.
    ...(await planKeyFindings(about)).filter(({ about: what, verdict }) => what !== 'index' || verdict !== 'made'),
    ...(await deferredKeyFindings(about)),
    ...(await ownRefusals(about)),
    ...(await unidentifiedFindings(about)),
    ...rights,
  ]
}

/** Finding about NULL in the time column. The bounds constraint includes NOT NULL, so the rows need no other check. */
function withoutTime({ column }: About, { notNull, primary, type }: PlannedTableShape): PlanFinding {
  const one = { about: 'column', object: column }
  if (notNull) return { ...one, verdict: 'fine', detail: `${type} NOT NULL` }
  return {
    ...one,
    verdict: 'changes',
    detail: `${type}, which may be NULL: past rows without a value are not allowed, and new ones are refused ${primary ? 'from the check on, since it becomes a part of the primary key; it stays NOT NULL after a --revert, until ALTER TABLE … DROP NOT NULL' : 'between the check and the switch; after it such rows go to the default partition'}`,
  }
}

/** Finding about a DEFERRABLE primary key: the index without the time column cannot be built as DEFERRABLE. */
async function deferredKeyFindings(about: About): Promise<readonly PlanFinding[]> {
  const wanted = await wantedIndexes(about)
  return wanted.flatMap(({ note, of }): PlanFinding[] =>
    note !== 'own' || (of.constraint ?? '') === ''
      ? []
      : [
          {
            verdict: 'changes',
            about: 'primary key',
            object: of.name,
            detail: `it is${of.constraint}, but from the build of its index until --revert past rows are checked as they are written: an UPDATE that exchanges two keys is refused`,
          },
        ],
  )
}

type Obstacle = { readonly kind: string; readonly name: string; readonly definition: string }

const REASONS: Readonly<Record<string, readonly [about: string, detail: string]>> = {
  unchecked: [
    'check',
    'it was never validated (NOT VALID): the server would refuse it, or read all rows while all sessions wait',
  ],
  alone: [
    'check',
    'it is NO INHERIT, and the server does not attach a table with such a constraint if its parent has it, too',
  ],
  reference: [
    'foreign key from it',
    'it was never validated (NOT VALID): the server would look up all rows while all sessions wait',
  ],
  exclusion: ['exclusion', 'the server would rebuild its index while all sessions wait'],
  stream: [
    'stream',
    'a stream of sluice reads the changes of this table by its OID, and would miss those of new partitions',
  ],
}

async function ownRefusals(about: About): Promise<readonly PlanFinding[]> {
  const { sql } = about
  return (await about.session.objects<Obstacle>(obstaclesSql(about))).map(({ kind, name, definition }): PlanFinding => {
    const [what = kind, detail = definition] = REASONS[kind] ?? []
    const drop = `ALTER TABLE ${sql} DROP CONSTRAINT ${quoteName(name)}`
    const hint =
      kind === 'stream'
        ? 'sluice follow --end STREAM ends it; sluice migration-status names it'
        : kind === 'exclusion'
          ? `${drop}, if the application keeps its rule; or sluice partition run copies the table into a new one`
          : kind === 'alone'
            ? `${drop}, and add it without NO INHERIT: ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT`
            : `ALTER TABLE ${sql} VALIDATE CONSTRAINT ${quoteName(name)}, which blocks no session`
    return {
      verdict: 'refused',
      about: what,
      object: name,
      detail: kind === 'stream' ? detail : `${definition}: ${detail}`,
      hint,
    }
  })
}

function obstaclesSql({ oid }: About): string {
  const unchecked = `NOT k.convalidated AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true)`
  return `
    SELECT pg_catalog.json_build_object('kind', f.kind, 'name', f.name, 'definition', f.definition) FROM (
      SELECT CASE WHEN k.contype = 'x' THEN 'exclusion' WHEN k.contype = 'f' THEN 'reference' WHEN k.connoinherit AND k.contype IN ('c', 'n') THEN 'alone' ELSE 'unchecked' END AS kind,
        k.conname AS name, pg_catalog.pg_get_constraintdef(k.oid) AS definition
      FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}::oid AND k.conname !~ '^sluice_in_place_'::text
        AND (k.contype = 'x' OR k.contype = 'f' AND ${unchecked} OR k.contype IN ('c', 'n') AND (k.connoinherit OR ${unchecked}))
      UNION ALL SELECT 'stream', p.pubname, '' FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
        WHERE r.prrelid = ${oid}::oid AND p.pubname ~ '^sluice_'::text
      UNION ALL SELECT 'stream', g.tgname, '' FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE g.tgrelid = ${oid}::oid AND NOT g.tgisinternal AND (p.proname ~ '^sluice_'::text OR n.nspname ~ '^sluice_'::text)) AS f ORDER BY 1::text`
}

/** Statements that remove properties that a partition must not have. @param past name of the table as a partition */
export async function stripped(about: About, past: string): Promise<readonly string[]> {
  return await about.session.texts(
    `SELECT 'DROP TRIGGER ' || pg_catalog.quote_ident(g.tgname) || ' ON ' || ${literal(past)} FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ${about.oid}::oid AND NOT g.tgisinternal
     UNION ALL SELECT 'ALTER TABLE ' || ${literal(past)} || ' ALTER COLUMN ' || pg_catalog.quote_ident(a.attname) || ' DROP IDENTITY' FROM pg_catalog.pg_attribute a
       WHERE a.attrelid = ${about.oid}::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> ''
     UNION ALL SELECT 'ALTER TABLE ' || ${literal(past)} || ' NOT OF' FROM pg_catalog.pg_class c WHERE c.oid = ${about.oid}::oid AND c.reloftype <> 0::oid
     UNION ALL SELECT 'ALTER TABLE ' || ${literal(past)} || ' REPLICA IDENTITY DEFAULT' FROM pg_catalog.pg_index i WHERE i.indrelid = ${about.oid}::oid AND i.indisreplident AND i.indisprimary`,
  )
}
