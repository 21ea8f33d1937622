\set id random(1,200000)
update b set v='y' where id=:id and created_at='2027-03-01';
