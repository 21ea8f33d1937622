/**
 * Notes of `partition ensure` for the streams of a table. A note guarantees that the stream reports every row of the
 * attached partitions under the table's name. It is stored in the comment of each stream's publication, or of its
 * triggers' schema. The attaching transaction writes it, so the note and the partitions become visible together.
 */
import { isRefusal } from '../../archive/own.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { changeComment, readComment, type StreamObject, type StreamComment } from './stream-comment.ts'

export type PartitionNote = {
  /** OID of the partitioned table. */
  readonly table: string
  /** OID of the detached partition whose rows the new partitions contain; null if the new ones are empty. */
  readonly from: string | null
  /** OIDs of the attached partitions, each with the transaction that attached it. */
  readonly to: Readonly<Record<string, string>>
}

/** Maximum number of notes kept. A running stream reads them every few seconds, so it needs no older ones. */
const MOST = 200

/** Notes of a stream, oldest first. */
export async function readNotes(session: CopySession, of: StreamObject): Promise<readonly PartitionNote[]> {
  return notesOf(await readComment(session, of))
}

/**
 * Call it within the transaction that attaches the partitions. If the role does not own the object, nothing is written,
 * and the stream halts the table.
 * @throws errors of the server, except missing rights
 */
export async function noteAttached(session: CopySession, note: PartitionNote): Promise<void> {
  const publications = await session.ask(
    `SELECT DISTINCT p.pubname FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
     WHERE r.prrelid = ${literal(note.table)}::oid AND p.pubname ~ '^sluice_'::text AND pg_catalog.pg_has_role(p.pubowner, 'USAGE') ORDER BY 1`,
  )
  const schemas = await session.ask(
    `SELECT DISTINCT n.nspname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE p.proname = ${literal(`note_${note.table}`)} AND n.nspname ~ '^sluice_'::text AND pg_catalog.pg_has_role(n.nspowner, 'USAGE') ORDER BY 1`,
  )
  for (const [name] of publications) await addNote(session, ['PUBLICATION', name ?? ''], note)
  for (const [name] of schemas) await addNote(session, ['SCHEMA', name ?? ''], note)
}

async function addNote(session: CopySession, of: StreamObject, note: PartitionNote): Promise<void> {
  const noted = (now: StreamComment): StreamComment => ({ ...now, partitions: [...notesOf(now), note].slice(-MOST) })
  await session.attempt(() => changeComment(session, of, noted), isRefusal)
}

function notesOf({ partitions }: StreamComment): readonly PartitionNote[] {
  return Array.isArray(partitions) ? partitions.filter(isNote) : []
}

function isNote(value: unknown): value is PartitionNote {
  if (typeof value !== 'object' || value === null) return false
  const { table, from, to } = value as Partial<Record<keyof PartitionNote, unknown>>
  const isNumber = (text: unknown): boolean => typeof text === 'string' && /^\d{1,10}$/.test(text)
  if (!isNumber(table) || (from !== null && !isNumber(from)) || typeof to !== 'object' || to === null) return false
  return Object.entries(to).every((pair) => pair.every(isNumber))
}
