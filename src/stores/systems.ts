/**
 * All systems, and all kinds of storage for lakes. To add one, create a folder with a `declared.ts`, and add a line
 * here.
 */
import { cassandra } from './cassandra/declared.ts'
import { d1 } from './d1/declared.ts'
import type { LakeDeclaration, SystemDeclaration } from './declaration.ts'
import { duckdb } from './duckdb/declared.ts'
import { local } from './local/declared.ts'
import { mysql } from './mysql/declared.ts'
import { postgresql } from './postgresql/server/declared.ts'
import { s3 } from './s3/declared.ts'
import { sqlite } from './sqlite/declared.ts'

/** All systems, in the order in which hints name them. */
export const SYSTEMS: readonly SystemDeclaration[] = [postgresql, mysql, sqlite, duckdb, d1, cassandra]

export const LAKES: readonly LakeDeclaration[] = [local, s3]
