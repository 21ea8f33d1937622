/**
 * OIDs and other ids of a PostgreSQL server, and how a ledger, functions and names from another server get the ids of
 * this one.
 */
import type { Place } from '../copy-systems.ts'

/** Ids by object, such as `relation public.orders`. */
export type Numbers = ReadonlyMap<string, string>

/**
 * Objects whose ids are in a ledger, in functions or in object names; these ids are replaced wherever they are found.
 */
const CALLED = `SELECT 'system', system_identifier::text FROM pg_control_system()
  UNION ALL SELECT 'database', oid::text FROM pg_database WHERE datname = current_database()
  UNION ALL SELECT 'name', current_database()
  UNION ALL SELECT 'schema ' || nspname, oid::text FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'
  UNION ALL SELECT 'relation ' || n.nspname || '.' || c.relname, c.oid::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384 AND n.nspname <> 'pg_toast'
  UNION ALL SELECT 'file ' || n.nspname || '.' || c.relname, c.relfilenode::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid >= 16384 AND c.relfilenode NOT IN (0, c.oid) AND n.nspname <> 'pg_toast'
  UNION ALL SELECT 'key ' || conrelid::regclass || ' ' || conname, oid::text FROM pg_constraint WHERE oid >= 16384 AND conrelid <> 0
  UNION ALL SELECT 'function ' || oid::regprocedure, oid || ' ' || xmin FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname, oid || ' ' || xmin FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT 'publication ' || pubname, oid::text FROM pg_publication
  UNION ALL SELECT 'member ' || p.pubname || ' ' || m.prrelid::regclass, m.oid::text FROM pg_publication_rel m JOIN pg_publication p ON p.oid = m.prpubid`

/**
 * Transactions that changed an object of the catalog, and facts that only newer servers have. These ids are small, so
 * they are replaced by their place and not by a search.
 */
const CHANGED = `SELECT 'column ' || n.nspname || '.' || c.relname || ' ' || a.attnum, a.xmin::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid >= 16384 AND a.attnum > 0
  UNION ALL SELECT 'partition ' || n.nspname || '.' || c.relname, i.xmin::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL SELECT 'bounds ' || n.nspname || '.' || c.relname, md5(c.relpartbound::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relispartition
  UNION ALL SELECT 'publication ' || pubname, xmin::text FROM pg_publication
  UNION ALL SELECT 'generated ' || pubname, coalesce(to_jsonb(p) ->> 'pubgencols', '') FROM pg_publication p`

/**
 * Objects whose names contain an id of another object, and functions whose text contains one: these statements rename
 * them.
 */
const NAMED = `SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO ', conrelid::regclass, conname), conname FROM pg_constraint WHERE oid >= 16384 AND contype NOT IN ('p', 'u', 'x') AND conrelid <> 0
  UNION ALL SELECT format('ALTER %s %s RENAME TO ', CASE relkind WHEN 'i' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass), relname FROM pg_class
    WHERE oid >= 16384 AND relkind IN ('r', 'p', 'i', 'S') AND relnamespace <> 'pg_toast'::regnamespace
  UNION ALL SELECT format('ALTER FUNCTION %s RENAME TO ', oid::regprocedure), proname FROM pg_proc WHERE oid >= 16384`
/** Keys that triggers recorded, with transaction ids of another server. */
const NOTES = `SELECT format('UPDATE %s SET txid = txid_current()', c.oid::regclass) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname ~ '^sluice_[0-9]+$' AND c.relname ~ '^keys_[0-9]+$' AND c.relkind = 'r'`
const WRITTEN = `SELECT pg_get_functiondef(oid) FROM pg_proc WHERE oid >= 16384 AND prokind = 'f'`

export async function numbersOf(place: Place): Promise<Numbers> {
  return new Map([...(await asked(place, CALLED)), ['server', new URL(place.url).host]])
}

export function changesOf(place: Place): Promise<Numbers> {
  return asked(place, CHANGED)
}

async function asked({ rows }: Place, query: string): Promise<Numbers> {
  return new Map((await rows(query)).map(([what, number]) => [what ?? '', number ?? '']))
}

/** @param here new ids by old ones */
export function renumbered(text: string, here: Numbers): string {
  const escaped = [...here.keys()]
    .toSorted((a, b) => b.length - a.length)
    .map((old) => old.replaceAll('.', String.raw`\.`))
  return text.replace(
    new RegExp(`(?<![0-9A-Za-z.-])(?:${escaped.join('|')})(?![0-9A-Za-z-])`, 'g'),
    (old) => here.get(old) ?? old,
  )
}

/** Renames objects and rewrites functions that contain ids of another server. @returns new ids by old ones */
export async function settleIn(place: Place, called: Numbers): Promise<Numbers> {
  const paired = (now: Numbers, nameOf: (what: string) => string): Numbers =>
    new Map([...called].map(([what, old]) => [old, now.get(nameOf(what)) ?? old]))
  const first = paired(await numbersOf(place), (what) => what)
  for (const [start, name] of await place.rows(NAMED)) {
    const next = renumbered(name ?? '', first)
    if (next !== name) await place.sql(`${start}"${next}"`)
  }
  for (const [text] of await place.rows(WRITTEN)) {
    const next = renumbered(text ?? '', first)
    if (next !== text) await place.sql(next)
  }
  for (const [notes] of await place.rows(NOTES)) await place.sql(notes ?? '')
  return paired(await numbersOf(place), (what) => renumbered(what, first))
}
