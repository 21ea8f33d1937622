/** Findings about logical replication from the table and into the table. */
import { PUBLISHED_PARTITIONS, type PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { publishedBySql } from '../../server/publications.ts'
import { isDenied, LACKS_IDENTITY } from '../../server/server-errors.ts'
import type { About } from './about.ts'

type Publication = {
  readonly name: string
  readonly how: 'table' | 'all' | 'schema'
  /** True if changes are published as changes of the partitioned table. */
  readonly root: boolean
  /** True if it has a row filter or a column list. */
  readonly narrow: boolean
  /** True if it sends updates or deletes: the table then needs a replica identity. */
  readonly identified: boolean
}
/** @property key true if rows are always identified by a unique index on NOT NULL columns that is not deferrable */
type Identity = {
  readonly kind: string
  readonly index: string | null
  readonly primary: boolean
  readonly key: boolean
}

export async function planStreamFindings(about: About): Promise<readonly PlanFinding[]> {
  const publications = await about.session.objects<Publication>(publicationsSql(about))
  const [identity] = await about.session.objects<Identity>(identitySql(about))
  return [
    ...publications.map((one) => publication(one, about)),
    ...(identity === undefined ? [] : replicaIdentity(identity, about)),
    // A publication of single tables does not include the new table.
    ...unidentified(
      identity,
      publications.filter(({ how }) => how !== 'table'),
    ),
    ...(await subscriptions(about)),
  ]
}

function publication({ name, how, root, narrow }: Publication, { sql }: About): PlanFinding {
  const one = { about: 'publication', object: name, verdict: 'changes' } as const
  const as = root
    ? 'changes are sent under the name of the partitioned table'
    : 'changes are sent under the names of the partitions, which subscribers do not have'
  const viaRoot = root ? '' : `ALTER PUBLICATION ${quoteName(name)} SET (publish_via_partition_root = true); `
  if (how === 'table') {
    return {
      ...one,
      detail: `it refers to the table by its OID, and would stay with the old table${narrow ? ', with its columns and row filter' : ''}; once the new table is added, ${as}`,
      hint: `${viaRoot}after the cutover: ALTER PUBLICATION ${quoteName(name)} ADD TABLE ${sql}${narrow ? ' with the same columns and filter' : ''}`,
    }
  }
  const covers = how === 'all' ? 'it is FOR ALL TABLES' : 'it is for all tables of the schema'
  const detail = `${covers}: rows that are copied into the new table are also sent to its subscribers, and ${as}`
  const hint = `${viaRoot}disable its subscriptions during the copy, or replace it by publications of single tables first`
  return { ...one, detail, hint }
}

/**
 * Findings about the replica identity, which identifies rows that change during the copy. Without one, `partition run`
 * cannot replicate the changes.
 */
function replicaIdentity({ kind, index, primary, key }: Identity, { sql }: About): readonly PlanFinding[] {
  const one = { about: 'replica identity' } as const
  const again = 'on every partition; new ones also need it, because they do not inherit it'
  const refused = (detail: string, hint: string): readonly PlanFinding[] => [
    {
      ...one,
      verdict: 'refused',
      detail: `${detail}: partition run could not replicate changes during the copy`,
      hint,
    },
  ]
  switch (kind) {
    case 'f':
      if (!key)
        return refused(
          'it is FULL, and the table has no unique key of NOT NULL columns',
          `ALTER TABLE ${sql} ADD PRIMARY KEY …`,
        )
      return [{ ...one, verdict: 'made', object: 'FULL', detail: again }]
    case 'n':
      return refused(
        'NOTHING does not identify changed or deleted rows',
        `ALTER TABLE ${sql} REPLICA IDENTITY DEFAULT, with a primary key`,
      )
    case 'i': {
      if (index === null)
        return refused('the index that it names is gone', `ALTER TABLE ${sql} REPLICA IDENTITY USING INDEX … again`)
      const detail = 'partitions have indexes of other names: each uses its primary key until you change that'
      const hint = 'ALTER TABLE … REPLICA IDENTITY USING INDEX … for each partition, with the name of its own index'
      return [{ ...one, verdict: 'changes', object: index, detail, hint }]
    }
    default:
      if (!primary)
        return refused(
          'the table has no primary key that identifies its rows',
          `ALTER TABLE ${sql} ADD PRIMARY KEY …, not deferrable; or ALTER TABLE ${sql} REPLICA IDENTITY USING INDEX … with a unique index on columns that are NOT NULL`,
        )
      return [
        {
          ...one,
          verdict: 'fine',
          detail: 'the primary key identifies old rows, also after the new table adds a column to it',
        },
      ]
  }
}

/**
 * Findings for publications that would include the new partitions. The server refuses updates and deletes there if the
 * partitions have no replica identity.
 */
export async function unidentifiedFindings(about: About): Promise<readonly PlanFinding[]> {
  const [identity] = await about.session.objects<Identity>(identitySql(about))
  return unidentified(identity, await about.session.objects<Publication>(publicationsSql(about)))
}

const COVERS = { table: 'it has the table', all: 'it is for all tables', schema: 'it is for all tables of the schema' }

function unidentified(identity: Identity | undefined, publications: readonly Publication[]): readonly PlanFinding[] {
  if (identity?.kind !== 'i' || identity.index === null || identity.primary) return []
  const { index } = identity
  const such = publications.filter(({ identified }) => identified)
  return such.map(({ name, how }) => ({
    verdict: 'refused',
    about: PUBLISHED_PARTITIONS,
    object: name,
    detail: `${COVERS[how]}, and the new partitions have neither a primary key nor the index ${index} of the replica identity: TABLE_REFUSED: cannot update table or delete from table because it does not have a replica identity and publishes updates or deletes`,
    hint: LACKS_IDENTITY.hint,
  }))
}

/** Subscriptions of this server that write into the table; some roles have no right to read them. */
async function subscriptions({ session, oid, sql }: About): Promise<readonly PlanFinding[]> {
  const found = await session.attempt(
    () =>
      session.texts(
        `SELECT s.subname FROM pg_catalog.pg_subscription_rel r JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid WHERE r.srrelid = ${oid}::oid ORDER BY 1`,
      ),
    isDenied,
  )
  if ('refused' in found) {
    const hint = 'ask a superuser: SELECT * FROM pg_subscription_rel'
    return [{ verdict: 'not looked', about: 'subscription', detail: found.refused.message, hint }]
  }
  return found.result.map((object) => ({
    verdict: 'refused',
    about: 'subscription',
    object,
    detail: 'it writes to the table by its OID: it would stay with the old table',
    hint: `partition ${sql} where these rows come from, or end the subscription before`,
  }))
}

function publicationsSql({ session, oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', p.pubname, 'how', p.how, 'root', p.pubviaroot, 'identified', p.pubupdate OR p.pubdelete,
      'narrow', (pg_catalog.to_jsonb(r) ->> 'prqual'::text) IS NOT NULL OR (pg_catalog.to_jsonb(r) ->> 'prattrs'::text) IS NOT NULL)
    FROM (${publishedBySql(session.version, `${oid}::oid`)}) AS p
      LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p.relation ORDER BY p.pubname`
}

function identitySql({ oid }: About): string {
  const sound = 'i.indrelid = c.oid AND i.indisvalid AND i.indimmediate'
  return `
    SELECT pg_catalog.json_build_object('kind', c.relreplident,
      'primary', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE ${sound} AND i.indisprimary),
      'key', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE ${sound} AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attnotnull
          AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))),
      'index', (SELECT x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident))
    FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid`
}
