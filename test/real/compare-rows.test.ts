/**
 * A catalog that differs from the log in any field that both have is reported as different, and the difference is
 * named.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FILE_COLUMNS } from '../../src/catalog/relations.ts'
import { compareFailure } from '../../src/engine/lake/compare/index.ts'
import { openAt, shareOf } from '../support/backend.ts'
import { add, METADATA, PROTOCOL, remove, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { ask, day, imported } from './compare-kit.ts'

const VECTOR = {
  storageType: 'u',
  pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
  offset: 4,
  sizeInBytes: 40,
  cardinality: 6,
}

/** Two days and three commits; the file `c` has each field that a file can have. */
function table(folder: Folder): string {
  const path = join(folder.path, 'table')
  const rich = {
    ...day('2024-01-02', 20),
    tags: { ZCUBE: 'x' },
    deletionVector: VECTOR,
    baseRowId: 30,
    defaultRowCommitVersion: 2,
    clusteringProvider: 'liquid',
  }
  writeLog(path, [
    [{ commitInfo: { operation: 'CREATE', engineInfo: 'e/1' } }, PROTOCOL, METADATA, add('a', day('2024-01-01', 0))],
    [{ commitInfo: { operation: 'WRITE', engineInfo: 'e/1' } }, add('b', day('2024-01-02', 10)), remove('a')],
    [{ commitInfo: { operation: 'WRITE', engineInfo: 'e/1' } }, add('c', rich)],
  ])
  return path
}

const OF_C = "WHERE path = 'c'"
const copied = FILE_COLUMNS.map((name) =>
  name === 'file_no' ? 'file_no + 1000' : name === 'path' ? "'z'" : name,
).join(', ')

/** The change of the catalog, the question that finds it, and the reported difference. */
const WRONG: readonly (readonly [what: string, sql: string, question: string, says: string | RegExp])[] = [
  [
    'misses a file',
    `DELETE FROM delta_files ${OF_C}`,
    'active-files',
    'files give 2 rows, SQL 1; only the files have c',
  ],
  [
    'has a file too many',
    `INSERT INTO delta_files (${FILE_COLUMNS.join(', ')}) SELECT ${copied} FROM delta_files ${OF_C}`,
    'active-files',
    'files give 2 rows, SQL 3; only SQL has z',
  ],
  [
    'holds a file that was removed',
    "UPDATE delta_files SET removed_version = NULL WHERE path = 'a'",
    'active-files',
    'files give 2 rows, SQL 3; only SQL has a',
  ],
  [
    'has another file',
    `UPDATE delta_files SET path = 'd' ${OF_C}`,
    'active-files',
    'only the files have c; only SQL has d',
  ],
  ['size', `UPDATE delta_files SET size = 7 ${OF_C}`, 'active-files', 'c: size is 100 in the files, 7 in SQL'],
  [
    'modification time',
    `UPDATE delta_files SET modification_time = 7 ${OF_C}`,
    'active-files',
    'c: modificationTime is 1700000000000 in the files, 7 in SQL',
  ],
  [
    'partition value',
    `UPDATE delta_files SET partition_values = '{"day":"2024-01-03"}' ${OF_C}`,
    'active-files',
    String.raw`c: partitionValues is "{\"day\":\"2024-01-02\"}" in the files, "{\"day\":\"2024-01-03\"}" in SQL`,
  ],
  [
    'partition value that is no JSON',
    `UPDATE delta_files SET partition_values = '{' ${OF_C}`,
    'active-files',
    String.raw`c: partitionValues is "{\"day\":\"2024-01-02\"}" in the files, "{\"\":\"{\"}" in SQL`,
  ],
  [
    'number of the partition',
    `UPDATE delta_files SET partition_no = partition_no + 1000 ${OF_C}`,
    'files-of-partition',
    'files give 2 rows, SQL 1; only the files have c',
  ],
  [
    'no deletion vector',
    `UPDATE delta_files SET dv_id = NULL, deletion_vector = NULL ${OF_C}`,
    'active-files',
    'c: dvId is "uab^-aqEH.-t@S}K{vb[*k^@4" in the files, null in SQL',
  ],
  [
    'another deletion vector',
    `UPDATE delta_files SET deletion_vector = replace(deletion_vector, '"cardinality":6', '"cardinality":5') ${OF_C}`,
    'active-files',
    /^c: deletionVector is ….*:6\} in the files, ….*:5\} in SQL$/,
  ],
  [
    'statistics',
    `UPDATE delta_files SET stats = replace(stats, '"id":20', '"id":21') ${OF_C}`,
    'active-files',
    'c: stats.minValues.id is 20 in the files, 21 in SQL',
  ],
  [
    'all statistics, which it has lost',
    `UPDATE delta_files SET stats = NULL ${OF_C}`,
    'active-files',
    /^c: stats is \{"numRecords":10,.* in the files, missing in SQL$/,
  ],
  [
    'a smallest value, which it has lost',
    `UPDATE delta_files SET stats = replace(stats, '"minValues":{"id":20}', '"minValues":{}') ${OF_C}`,
    'active-files',
    'c: stats.minValues.id is 20 in the files, missing in SQL',
  ],
  [
    'a largest value, which it has lost',
    `UPDATE delta_files SET stats = replace(stats, '"maxValues":{"id":29}', '"maxValues":{"id":null}') ${OF_C}`,
    'active-files',
    'c: stats.maxValues.id is 29 in the files, missing in SQL',
  ],
  [
    'a count of nulls, which it has lost',
    `UPDATE delta_files SET stats = replace(stats, ',"nullCount":{"id":0}', '') ${OF_C}`,
    'active-files',
    'c: stats.nullCount.id is 0 in the files, missing in SQL',
  ],
  [
    'a count of rows, which it has lost',
    `UPDATE delta_files SET num_records = NULL ${OF_C}`,
    'active-files',
    'c: rows is 10 in the files, missing in SQL',
  ],
  [
    'the total of rows, which it has lost',
    'UPDATE delta_commits SET files_without_records = 1 WHERE version = 2',
    'counts',
    'all files together: rows is 14 in the files, missing in SQL',
  ],
  ['rows', `UPDATE delta_files SET num_records = 11 ${OF_C}`, 'active-files', 'c: rows is 10 in the files, 11 in SQL'],
  [
    'tags',
    `UPDATE delta_files SET tags = NULL ${OF_C}`,
    'active-files',
    'c: tags is {"ZCUBE":"x"} in the files, null in SQL',
  ],
  [
    'first row id',
    `UPDATE delta_files SET base_row_id = 31 ${OF_C}`,
    'active-files',
    'c: baseRowId is 30 in the files, 31 in SQL',
  ],
  [
    'version of the row ids',
    `UPDATE delta_files SET default_row_commit_version = 1 ${OF_C}`,
    'active-files',
    'c: defaultRowCommitVersion is 2 in the files, 1 in SQL',
  ],
  [
    'clustering',
    `UPDATE delta_files SET clustering_provider = NULL ${OF_C}`,
    'active-files',
    'c: clusteringProvider is "liquid" in the files, null in SQL',
  ],
  [
    'whether a file changed data',
    `UPDATE delta_files SET data_change = 0 ${OF_C}`,
    'changes',
    /^line 2 of commit 2: raw is ….*true.* in the files, ….*false.* in SQL$/,
  ],
  [
    'version of a file',
    `UPDATE delta_files SET added_version = 1 ${OF_C}`,
    'old-snapshot',
    'files give 2 rows, SQL 3; only SQL has c',
  ],
  [
    'totals',
    'UPDATE delta_commits SET num_bytes = 7 WHERE version = 2',
    'counts',
    'all files together: bytes is "200" in the files, "7" in SQL',
  ],
  [
    'total of rows',
    'UPDATE delta_commits SET num_records = 7 WHERE version = 2',
    'counts',
    'all files together: rows is 14 in the files, 7 in SQL',
  ],
  [
    'commit information',
    `UPDATE delta_commits SET commit_info = replace(commit_info, 'e/1', 'e/2') WHERE version = 2`,
    'last-commits',
    'commit 2: commitInfo is {"engineInfo":"e/1","operation":"WRITE"} in the files, {"engineInfo":"e/2","operation":"WRITE"} in SQL',
  ],
  [
    'engine of a commit',
    "UPDATE delta_commits SET engine = 'e/2' WHERE version = 2",
    'last-commits',
    'commit 2: engine is "e/1" in the files, "e/2" in SQL',
  ],
  [
    'bytes of a commit',
    'UPDATE delta_commits SET added_bytes = 7 WHERE version = 2',
    'last-commits',
    'commit 2: addedBytes is "100" in the files, "7" in SQL',
  ],
  [
    'description of the table',
    "UPDATE delta_metadata SET description = 'd'",
    'latest-version',
    'the newest version: description is null in the files, "d" in SQL',
  ],
  [
    'protocol',
    'UPDATE delta_protocols SET min_writer_version = 3',
    'latest-version',
    'the newest version: protocol is [1,2] in the files, [1,3] in SQL',
  ],
  [
    'a remove',
    "DELETE FROM delta_actions WHERE version = 1 AND kind = 'remove'",
    'changes',
    'files give 3 rows, SQL 2; only the files have line 3 of commit 1',
  ],
]

test.each(shareOf(WRONG, 4))('a catalog that differs from the log: %s', async (_, sql, question, says) => {
  using folder = temporaryFolder()
  const path = table(folder)
  const file = await imported(folder, path)
  {
    await using database = await openAt(file, 'write')
    await database.write((transaction) => transaction.run(sql))
  }
  const { summary } = await ask(path, file)
  const differences = new Map(summary.results.map(({ question: id, difference }) => [id, difference]))
  const difference = differences.get(question)
  if (typeof says === 'string') expect(difference).toBe(says)
  else expect(difference).toMatch(says)
  expect(compareFailure(summary)).toMatchObject({ code: 'DIFFERENCES', exitCode: 1 })
  expect(summary.results.filter(({ question: id }) => id === question).map(({ same }) => same)).toEqual([false])
})

test('a catalog with the same values in all of these fields is the same', async () => {
  using folder = temporaryFolder()
  const path = table(folder)
  const { summary } = await ask(path, await imported(folder, path))
  expect(summary.results.map(({ difference }) => difference)).toEqual(Array.from({ length: 9 }, () => undefined))
})
