/** The closed list of what `fsck` can find; each kind with its remedy. */

export const FINDINGS = {
  'log-rewritten':
    'restore the imported commits; if the log is right, take the table out of the catalog and import it again with `sluice rollback TABLE --forget --confirm=TABLE` and `sluice import TABLE`',
  'file-missing':
    'restore the file from a backup or an older version of the object; FSCK REPAIR TABLE in Spark removes it from the log, with its rows',
  'path-unusable':
    'no reader finds such a file: FSCK REPAIR TABLE in Spark removes it from the log; find out who may write to this log',
  'file-size': 'another program wrote over the file, or its copy was cut short: restore it from a backup',
  'file-outside': 'a shallow clone reads files of another table: --outside checks them too',
  'vector-missing': 'without the vector deleted rows come back or readers fail: restore the file from a backup',
  'vector-damaged':
    'restore the file of the vector from a backup; RESTORE TABLE to a version before it was written brings its rows back',
  'vector-positions':
    'the vector belongs to another file: restore both, or RESTORE TABLE to a version before it was written',
  'file-unreadable': 'restore the file from a backup; FSCK REPAIR TABLE in Spark helps only after the file is deleted',
  'file-encrypted': 'sluice has no keys: read the table once with the engine that wrote it',
  'row-count': 'the file is not the one that the log describes, or its statistics are wrong: compare it with a backup',
  'columns-missing': 'the file belongs to another table or schema, or its footer is damaged: restore it from a backup',
  'column-type': 'readers refuse the file or misread it: rewrite it with the schema of the table',
  statistics:
    'conditions skip existing rows: write the statistics again (ANALYZE TABLE … COMPUTE DELTA STATISTICS) or rewrite the file',
  'statistics-unreadable':
    'readers that parse them fail, or read every file: write the statistics again (ANALYZE TABLE … COMPUTE DELTA STATISTICS) or rewrite the file',
  'partition-values':
    'readers refuse the file or misread the value: rewrite the file with partition values of the types of the table',
  'partition-spelling':
    'readers on delta-kernel refuse the table: rewrite the file with a writer that follows PROTOCOL.md, "Partition Value Serialization"',
  'file-twice':
    'readers have its rows twice: RESTORE TABLE to an earlier version, or let a writer remove it with the vector of its add',
  'actions-doubled':
    'a commit may name a file, schema, protocol, transaction or domain once (PROTOCOL.md, "Action Reconciliation"), so readers disagree: let a writer commit the intended action again, or RESTORE TABLE to the version before',
  'action-fields':
    'delta-spark reads the line with a default, as sluice does; deltalake, DuckDB and others on delta-kernel refuse the table: a new checkpoint at or above the commit ends that, or restore the file of the commit',
  'schema-refused':
    'deltalake, DuckDB and others on delta-kernel refuse the table: rename the column, or let a writer add the feature to the protocol',
  'byte-order-mark':
    'delta-spark skips it, as sluice does; deltalake, DuckDB and others on delta-kernel refuse the table: a new checkpoint at or above the commit ends that, or write the file without its first three bytes',
  'in-commit-times':
    'readers may find different versions for one time: query by version; disabling and enabling in-commit timestamps restarts them',
  'path-spellings':
    'readers that compare undecoded paths return other rows: RESTORE TABLE to the version before, or let the writer that added the file remove it in its own spelling; a new checkpoint by a reader that decodes paths would resolve it without notice',
  'row-ids':
    'rows cannot be distinguished by their ids or commit versions: copy the table into a new one, or rewrite the files with a writer that gives fresh ids',
  'page-checksum': 'bytes of the file have changed since it was written: restore it from a backup',
  'checkpoint-unreadable':
    'readers that start from it cannot open the table: restore the file, or write a new checkpoint while the commits exist',
  'checkpoint-structs':
    'readers that skip files by the struct lose rows, those that use the text do not: write a new checkpoint',
  'checkpoint-twice': 'readers that start from it have the rows of the file twice: write a new checkpoint',
  'checkpoint-stats':
    'readers that start from it skip files by wrong statistics and lose rows: write a new checkpoint while the commits exist',
  'checkpoint-files':
    'readers that start from it lose rows, or have rows that were deleted: write a new checkpoint while the commits exist',
  'checksum-file':
    'writers that verify a version with it fail or warn: delete the .crc file; the next commit writes a new one',
  'compacted-log':
    'readers that use it instead of the commits get other files or none: delete it while the commits exist, because it only repeats them',
  'last-checkpoint':
    'readers that follow it cannot open the table: it is only a hint and may be deleted; a new checkpoint writes it again',
  'sidecar-missing': 'the checkpoint cannot be read: restore the file, or write a new checkpoint',
  'sidecar-size': 'the checkpoint cannot be read: restore the file, or write a new checkpoint',
  'not-read': 'check it where it can be reached, or with credentials that may read it',
  'older-missing': 'older versions that need these files can no longer be read; a VACUUM does that',
  'change-data-missing': 'the change data feed of these versions can no longer be read; a VACUUM does that',
  'commit-missing': 'restore the missing files of the log from a backup: log cleanup removes only the oldest commits',
  'file-time': 'files were copied or restored after they were written; nothing is wrong with that alone',
  orphan: 'VACUUM deletes files that no version refers to, once they are older than the retention',
  vacuum: 'VACUUM frees this space; older versions can no longer be read after it',
} as const

export type FindingKind = keyof typeof FINDINGS
