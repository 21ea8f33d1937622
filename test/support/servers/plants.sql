-- Operators and functions that the server takes instead of its own in each statement whose arguments have no exact match in pg_catalog. Each answers as the server's own does;
-- which statements take one is read from the parse trees in the server's log. They stand behind the search_path of sessions that have an application_name, as sluice's have.
-- A name that begins with pg_ is no user's, so that no command lists them.
CREATE SCHEMA pg_planted;
GRANT USAGE ON SCHEMA pg_planted TO PUBLIC;

DO $do$
DECLARE
  types CONSTANT text[] := ARRAY['name', 'text', 'varchar', 'bpchar', '"char"', 'oid', 'int2', 'int4', 'int8', 'bool', 'float4', 'float8', 'numeric', 'bytea', 'date', 'timestamp', 'timestamptz',
    'time', 'interval', 'json', 'jsonb', 'uuid', 'inet', 'bit', 'regclass', 'regtype', 'regproc', 'regnamespace', 'regrole', 'xid', 'xid8', 'tid', 'pg_lsn', 'pg_node_tree', 'oidvector',
    'int2vector', 'text[]', 'name[]', 'varchar[]', 'oid[]', 'int2[]', 'int4[]', 'int8[]', 'regclass[]', '"char"[]', 'bool[]', 'jsonb[]', 'aclitem[]', 'numeric[]', 'timestamptz[]'];
  operators CONSTANT text[] := ARRAY(SELECT DISTINCT o.oprname FROM pg_operator o WHERE o.oprleft <> 0 AND o.oprname IN
    ('=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '~*', '~~', '!~~', '~~*', '!~~*', '+', '-', '*', '/', '%', '&', '|', '@>', '<@', '&&', '->', '->>', '?', '?|', '#>', '#>>', '^@', '<<', '<<='));
  a text; b text; o text; given text; made text; n int := 0;
BEGIN
  FOREACH a IN ARRAY types LOOP
    FOREACH b IN ARRAY types LOOP
      FOREACH o IN ARRAY operators LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_operator p WHERE p.oprname = o AND p.oprleft = a::regtype AND p.oprright = b::regtype);
        BEGIN
          EXECUTE format('SELECT pg_typeof(NULL::%s %s NULL::%s)::text', a, o, b) INTO given;
        EXCEPTION WHEN OTHERS THEN
          -- Beside a literal without a type, the server looks for two of the other one's type first.
          CONTINUE WHEN a <> b;
          BEGIN
            EXECUTE format('SELECT pg_typeof(NULL::%s %s NULL)::text', a, o) INTO given;
          EXCEPTION WHEN OTHERS THEN
            BEGIN
              EXECUTE format('SELECT pg_typeof(NULL %s NULL::%s)::text', o, a) INTO given;
            EXCEPTION WHEN OTHERS THEN CONTINUE;
            END;
          END;
        END;
        n := n + 1;
        made := format('operator_%s', n);
        EXECUTE format('CREATE FUNCTION pg_planted.%I(%s, %s) RETURNS %s LANGUAGE plpgsql SET search_path = pg_catalog AS %L', made, a, b, given,
          format('BEGIN RETURN $1 %s $2; END', o));
        EXECUTE format('CREATE OPERATOR pg_planted.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = pg_planted.%I)', o, a, b, made);
      END LOOP;
    END LOOP;
  END LOOP;
END $do$;

-- Functions that statements for all systems call without a schema, with one argument or more; each of them is tried with every type in the first place.
DO $do$
DECLARE
  types CONSTANT text[] := ARRAY['name', 'varchar', 'bpchar', '"char"', 'text', 'oid', 'int2', 'int4', 'int8', 'bool', 'float8', 'numeric', 'bytea', 'date', 'timestamptz', 'jsonb', 'regclass', 'pg_lsn',
    'text[]', 'name[]', 'oid[]', 'int2[]', 'int4[]', 'int8[]', 'bool[]'];
  t text; f record; given text; made text; n int := 0;
BEGIN
  FOR f IN SELECT DISTINCT ON (p.proname, rest) p.proname AS name, p.prokind AS kind, p.proretset AS many,
      ARRAY(SELECT u.type::regtype::text FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (type, at) WHERE u.at > 1) AS rest
    FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.pronargs > 0 AND p.prokind IN ('f', 'a', 'w')
      AND p.proname = ANY ('{array_agg,count,floor,lag,length,lower,max,md5,min,replace,string_agg,substr,sum,to_char,unnest,upper}') LOOP
    FOREACH t IN ARRAY types LOOP
      CONTINUE WHEN to_regprocedure(format('pg_planted.%I(%s)', f.name, array_to_string(t || f.rest, ','))) IS NOT NULL
        OR EXISTS (SELECT FROM pg_proc p WHERE p.proname = f.name AND p.pronamespace = 'pg_catalog'::regnamespace AND p.oid = to_regprocedure(format('pg_catalog.%I(%s)', f.name, array_to_string(t || f.rest, ','))));
      BEGIN
        -- A set is no argument of another function.
        EXECUTE format('SELECT pg_typeof(x)::text FROM (SELECT pg_catalog.%I(%s) %s) x (x)', f.name, array_to_string(ARRAY(SELECT format('NULL::%s', u) FROM unnest(t || f.rest) u), ', '),
          CASE f.kind WHEN 'w' THEN 'OVER ()' WHEN 'a' THEN 'WHERE false' ELSE '' END) INTO given;
        given := coalesce(given, CASE WHEN f.name = 'unnest' THEN replace(t, '[]', '') END);
        n := n + 1;
        IF f.kind = 'f' THEN
          EXECUTE format('CREATE FUNCTION pg_planted.%I(%s) RETURNS %s %s LANGUAGE plpgsql SET search_path = pg_catalog AS %L', f.name, array_to_string(t || f.rest, ', '),
            CASE WHEN f.many THEN 'SETOF' ELSE '' END, given,
            format('BEGIN RETURN %s %I(%s); END', CASE WHEN f.many THEN 'QUERY SELECT' ELSE '' END, f.name,
              array_to_string(ARRAY(SELECT '$' || i FROM generate_series(1, 1 + cardinality(f.rest)) i), ', ')));
        ELSE
          -- It is called by each row, and has no answer.
          made := format('aggregate_%s', n);
          EXECUTE format('CREATE FUNCTION pg_planted.%I(text, %s) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS %L', made, array_to_string(t || f.rest, ', '),
            'BEGIN RETURN NULL; END');
          EXECUTE format('CREATE AGGREGATE pg_planted.%I(%s) (SFUNC = pg_planted.%I, STYPE = text, INITCOND = %L)', f.name, array_to_string(t || f.rest, ', '), made, '');
        END IF;
      EXCEPTION WHEN undefined_function OR ambiguous_function OR datatype_mismatch OR indeterminate_datatype THEN CONTINUE;
      END;
    END LOOP;
  END LOOP;
END $do$;

-- Expressions of indexes, checks, defaults and views are in no parse tree of the log: the next session says what they hold.
CREATE FUNCTION pg_planted.say_kept() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $f$
DECLARE one text;
BEGIN
  FOR one IN SELECT o.oid::regoperator || ' in ' || pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d JOIN pg_operator o ON o.oid = d.refobjid
      WHERE d.refclassid = 'pg_operator'::regclass AND o.oprnamespace = 'pg_planted'::regnamespace LOOP
    RAISE LOG 'kept: %', one;
  END LOOP;
END $f$;

-- Without a path of its own, which would end with the call.
CREATE FUNCTION pg_planted.stand_behind() RETURNS event_trigger LANGUAGE plpgsql AS $f$
BEGIN
  -- The program says who it is, and clients of the tests themselves do not. A session that begins with a path of its own keeps it.
  IF pg_catalog.current_setting('application_name') OPERATOR(pg_catalog.<>) ''
    AND EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) 'search_path' AND s.source OPERATOR(pg_catalog.<>) 'client') THEN
    PERFORM pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', nullif(pg_catalog.current_setting('search_path'), ''), 'pg_planted'), false);
    PERFORM pg_planted.say_kept();
  END IF;
END $f$;
CREATE EVENT TRIGGER pg_planted ON login EXECUTE FUNCTION pg_planted.stand_behind();

-- Their OIDs, the same in each database.
DO $do$
DECLARE one text;
BEGIN
  FOR one IN SELECT o.oid || ' ' || o.oid::regoperator FROM pg_operator o WHERE o.oprnamespace = 'pg_planted'::regnamespace
    UNION ALL SELECT p.oid || ' ' || p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'pg_planted'::regnamespace AND p.proname !~ '^(operator|aggregate)_' LOOP
    RAISE LOG 'planted: %', one;
  END LOOP;
END $do$;
