/**
 * The questions of `performance-compare`: what is asked, and how files and SQL answer. Pure data for every frontend.
 */

export type QuestionId =
  | 'latest-version'
  | 'counts'
  | 'active-files'
  | 'files-of-partition'
  | 'min-max'
  | 'old-snapshot'
  | 'file-origin'
  | 'last-commits'
  | 'changes'

export type CompareQuestion = {
  readonly id: QuestionId
  /** Title without the versions of a table; `PlannedQuestion.asked` has them. */
  readonly title: string
  /** What is read, and how: by the log reader (`files`), and by queries of the catalog (`sql`). */
  readonly files: string
  readonly sql: string
}

/** All questions, in the order in which they are asked. */
export const QUESTIONS: readonly CompareQuestion[] = [
  {
    id: 'latest-version',
    title: 'latest version + schema',
    files: 'list, then the newest protocol and metadata from commits and checkpoint',
    sql: 'head row, then one row each of delta_protocols and delta_metadata',
  },
  {
    id: 'counts',
    title: 'count and bytes of files',
    files: 'list, newest checkpoint, later commits, replay, sum',
    sql: 'one row of delta_commits, which keeps running totals',
  },
  {
    id: 'active-files',
    title: 'all active files',
    files: 'list, newest checkpoint, later commits, replay, whole entries',
    sql: 'one range scan over delta_files, whole entries',
  },
  {
    id: 'files-of-partition',
    title: 'files of one partition',
    files: 'list, newest checkpoint, later commits, replay, filter',
    sql: 'partition number, then one index range of delta_files',
  },
  {
    id: 'min-max',
    title: 'files left by min/max',
    files: 'list, newest checkpoint, later commits, replay, then every file by its stats',
    sql: 'one range scan over delta_files, then every file by its stats, by the same code',
  },
  {
    id: 'old-snapshot',
    title: 'snapshot of an old version',
    files: 'list, a checkpoint at or below the version, commits up to it, replay',
    sql: 'one range scan over delta_files, one row of delta_commits',
  },
  {
    id: 'file-origin',
    title: 'which commit added a file',
    files: 'list, then commits from the newest down until one adds the file',
    sql: 'one look-up by key',
  },
  {
    id: 'last-commits',
    title: 'last 20 commits',
    files: 'list, then every one of these commits',
    sql: 'one range of delta_commits',
  },
  {
    id: 'changes',
    title: 'changes of many commits',
    files: 'list, then every commit in between',
    sql: 'one range each of delta_files and delta_actions, removes parsed from their raw lines',
  },
]

const IDS: ReadonlySet<string> = new Set(QUESTIONS.map(({ id }) => id))

export function isQuestionId(text: string): text is QuestionId {
  return IDS.has(text)
}

/** What `cold` means: shown wherever cold figures are shown. */
export const COLD_MEANING = 'cold means a fresh process and connection, not an emptied page cache'
