/**
 * Checks which functions and tables a user's query uses, in the server's own analysis. A read-only transaction prevents
 * writes, but not functions that end sessions, take locks, read server files or leave the role. The server shows the
 * analysed tree, including views and policies, before it plans or runs anything.
 */
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { literal } from './sql.ts'
import { belongs, isStranger, TRUSTED } from './trusted-roles.ts'

/** Title of the tree in the server's message, the same in every language. */
export const TREE = 'rewritten parse tree'
/** Makes the server send the tree of each statement. It also logs the tree, unless the login may turn that off. */
export const SHOW_TREES =
  'SET LOCAL debug_pretty_print TO off; SET LOCAL client_min_messages TO log; SET LOCAL debug_print_rewritten TO on'
export const HIDE_TREES = 'SET LOCAL debug_print_rewritten TO off; SET LOCAL client_min_messages TO warning'

/** Lowest OID of user objects: lower OIDs are created with the database cluster. */
const FIRST_OF_USERS = '16384::pg_catalog.oid'
/** Roles whose members can do more than read or write rows. */
const POWERFUL_ROLES = [
  'pg_read_server_files',
  'pg_write_server_files',
  'pg_execute_server_program',
  'pg_signal_backend',
]

/**
 * Volatile functions that only read. Other volatile functions (locks, sessions, large objects, files, settings, slots
 * …) are refused.
 */
const READING = `^(${[
  'clock_timestamp|timeofday|random|random_normal|gen_random_uuid|uuidv4|uuidv7|array_shuffle|array_sample|bernoulli|system',
  'pg_sleep|pg_sleep_for|pg_sleep_until|currval|lastval|pg_sequence_last_value|pg_get_sequence_data',
  'pg_(relation|table|indexes|total_relation|database|tablespace)_size|pg_partition_(tree|ancestors)',
  'pg_is_in_recovery|pg_current_wal_(flush_|insert_)?lsn|pg_last_wal_(receive|replay)_lsn|pg_last_xact_replay_timestamp',
  'pg_lock_status|pg_blocking_pids|pg_safe_snapshot_blocking_pids|pg_prepared_xact|pg_stat_get_.*|pg_stat_have_stats|pg_get_wait_events',
  'pg_xact_status|txid_status|pg_xact_commit_timestamp|pg_collation_actual_version|pg_database_collation_actual_version',
].join('|')})$`
/** Functions that run a query or a view that is not in the tree. */
const RUNS_OTHERS = '^(query|table|cursor|schema|database)_to_xml'

/** SQL condition: the login, or a role that it may become, can do more than read or write rows. */
const HAS_POWER = `EXISTS (
  SELECT FROM pg_catalog.pg_roles r
  WHERE (r.rolsuper OR r.rolname OPERATOR(pg_catalog.=) ANY (ARRAY[${POWERFUL_ROLES.map(literal).join(', ')}]::pg_catalog.name[]))
    AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))`

const named = (schema: string, name: string): string => `pg_catalog.concat(${schema}, '.', ${name})`

/**
 * SQL that returns a row if an untrusted role owns a domain with a CHECK, and the login can do more than read or write
 * rows. A literal of such a type runs the CHECK during parsing, so this query must run before the user's query is sent
 * to the server.
 */
export const DOMAINS_SQL = `${TRUSTED}
  SELECT 'uses a database with the domain', ${named('n.nspname', 'd.typname')}, ${belongs('d.typowner')}
  FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_type d ON d.oid OPERATOR(pg_catalog.=) k.contypid
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) d.typnamespace
  WHERE k.contype OPERATOR(pg_catalog.=) 'c'::pg_catalog."char" AND ${isStranger('d.typowner')} AND ${HAS_POWER} LIMIT 1`

/**
 * SQL that returns a row (action, object, reason) if a query with this tree must not run. @param tree from the server
 */
export function usesSql(tree: string): string {
  return `${TRUSTED},
  called (id) AS (
    SELECT pg_catalog.unnest(${array(oidsOf(tree, FUNCTIONS))})
    UNION SELECT o.oprcode::pg_catalog.oid FROM pg_catalog.pg_operator o WHERE o.oid OPERATOR(pg_catalog.=) ANY (${array(oidsOf(tree, OPERATORS))})),
  asked (id) AS (
    SELECT pg_catalog.unnest(${array(oidsOf(tree, RELATIONS))})
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN asked ON i.inhparent OPERATOR(pg_catalog.=) asked.id),
  login (reaches) AS (SELECT ${HAS_POWER})
  SELECT s.what, s.name, s.why FROM (
    SELECT 'calls' AS what, ${named('n.nspname', 'p.proname')} AS name, CASE
      WHEN p.oid OPERATOR(pg_catalog.<) ${FIRST_OF_USERS} THEN CASE
        WHEN p.proname OPERATOR(pg_catalog.~) ${literal(RUNS_OTHERS)}
          OR p.provolatile OPERATOR(pg_catalog.=) 'v'::pg_catalog."char" AND NOT p.proname OPERATOR(pg_catalog.~) ${literal(READING)}
          THEN 'the function does more than read rows' END
      WHEN login.reaches THEN 'this login has rights beyond reading and writing rows, and a function that is not built in could use them'
      WHEN ${isStranger('p.proowner')} THEN ${belongs('p.proowner')} END AS why
    FROM called JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) called.id
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace CROSS JOIN login
    UNION ALL
    SELECT 'reads', ${named('n.nspname', 'c.relname')}, pg_catalog.concat(${belongs('c.relowner')}, '; functions that it calls would run with the rights of this login, which go beyond reading and writing rows')
    FROM asked JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) asked.id
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace CROSS JOIN login
    WHERE login.reaches AND c.oid OPERATOR(pg_catalog.>=) ${FIRST_OF_USERS} AND ${isStranger('c.relowner')}
    UNION ALL
    SELECT 'reads', ${named('n.nspname', 'c.relname')}, 'only privileged roles may read it: it has data of the server, such as password hashes'
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace CROSS JOIN login
    WHERE login.reaches AND c.oid OPERATOR(pg_catalog.<) ${FIRST_OF_USERS} AND c.oid OPERATOR(pg_catalog.=) ANY (${array(directRelations(tree))})
      AND NOT pg_catalog.has_table_privilege('public', c.oid, 'SELECT')) s
  WHERE s.why IS NOT NULL LIMIT 1`
}

/** True for the tree of a SELECT, INSERT, UPDATE or DELETE; false for a utility statement (SET, PREPARE). */
export const isAnalysed = (tree: string): boolean => /^\(\{QUERY\s+:commandType\s+[1-4]\s/.test(tree)

/** Error for a row of `usesSql` or `DOMAINS_SQL`. */
export function refusedUse([what, name, why]: SqlRow, where: string): SluiceError {
  return new SluiceError('BAD_QUERY', `the query is refused: it ${String(what)} ${String(name)}`, {
    where,
    reason: String(why),
    hint: 'remove it from the query; or connect as a role that is not a superuser, owns the queried objects, and has no rights on the files and sessions of the server',
  })
}

const FUNCTIONS = 'funcid|opfuncid|hashfuncid|negfuncid|aggfnoid|winfnoid|tsmhandler|startInRangeFunc|endInRangeFunc'
const OPERATORS = 'opno|opnos|eqop|sortop|cycle_mark_neop'
const RELATIONS = 'relid'

/**
 * OIDs in these fields of a tree; a list may continue in the next line. No name or value can be mistaken for a field,
 * because its blanks are escaped.
 */
function oidsOf(tree: string, fields: string): readonly string[] {
  const found = tree.matchAll(new RegExp(`:(?:${fields})\\s+(?:\\(o\\s+)?(\\d+(?:\\s+\\d+)*)`, 'g'))
  return [...found].flatMap(([, numbers = '']) => numbers.split(/\s+/))
}

/** OIDs of relations that are read with the rights of the login, not with the rights of a view's owner. */
function directRelations(tree: string): readonly string[] {
  return [...tree.matchAll(/:relid\s+(\d+)(?:(?!:relid\s)[^])*?:checkAsUser\s+0\b/g)].map(
    ([, relation = '']) => relation,
  )
}

const array = (oids: readonly string[]): string => `'{${[...new Set(oids)].join(',')}}'::pg_catalog.oid[]`
