-- Stories whose title is not folded, because a process of an earlier release has written them: it folds the search text
-- alone. The index "stories_unfolded" stays, because such a process uses it.
CREATE INDEX "stories_unkeyed" ON "stories"("id") WHERE ("search_text" IS NULL OR "title_key" IS NULL) AND "deleted_at" IS NULL;
